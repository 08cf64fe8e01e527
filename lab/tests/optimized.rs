//! What pools of one driver tell each other: backups with `--optimized-storage`, copies that share what they can.

use std::path::Path;

use lab::{Client, Daemon, host, until};
use serde_json::Value;

/// Drivers that have streams and can be used here.
fn drivers() -> Vec<&'static str> {
    let zfs = std::fs::read_to_string("/sys/module/zfs/version").unwrap_or_default();
    let zfs = lab::installed("zpool") && !zfs.is_empty() && !zfs.starts_with("2.1");
    // In its own rig the other was tried elsewhere, and it is slow there.
    let btrfs =
        lab::installed("mkfs.btrfs") && std::env::var("LAWS_OF").map_or(true, |of| of == "btrfs");
    let found = [("btrfs", btrfs), ("zfs", zfs)];
    let found: Vec<_> = found.into_iter().filter(|(_, able)| *able).map(|(name, _)| name).collect();
    if found.is_empty() {
        lab::skip("neither btrfs nor ZFS can be used here");
    }
    found
}

/// Two pools, and an instance in the first of them that has a large file, a snapshot and a change after it.
fn furnish(daemon: &Daemon, driver: &str) {
    for pool in ["one", "two"] {
        let name = format!("zfs.pool_name=mclab-{pool}");
        let more: &[&str] = if driver == "zfs" { &[&name] } else { &[] };
        let create = ["storage", "create", pool, driver, "size=1GiB"];
        daemon.run(Client::Lxc, &[&create[..], more].concat()).ok();
    }
    daemon.lxc(["launch", "busybox", "web", "-s", "one"]).ok();
    daemon
        .sh("web", "dd if=/dev/urandom of=/root/large bs=1M count=64; echo then > /root/note")
        .ok();
    daemon.lxc(["snapshot", "web", "before"]).ok();
    daemon.sh("web", "echo now > /root/note; mkdir /root/d; mknod /root/d/null c 1 3; sync").ok();
}

fn clear(daemon: &Daemon) {
    daemon.lxc(["storage", "delete", "one"]).ok();
    daemon.lxc(["storage", "delete", "two"]).ok();
}

fn note(daemon: &Daemon, name: &str) -> String {
    daemon.lxc(["start", name]).ok();
    let note = daemon.sh(name, "cat /root/note").text();
    daemon.lxc(["stop", name, "--force"]).ok();
    note
}

/// The bytes that a pool has taken.
fn used(daemon: &Daemon, pool: &str) -> u64 {
    let used = daemon.get(&format!("/1.0/storage-pools/{pool}/resources"))["space"]["used"].clone();
    used.as_u64().unwrap_or_default()
}

/// What is deleted is removed in the background.
fn shares(daemon: &Daemon, pool: &str) {
    until("the large file is there once", || (used(daemon, pool) < 112 << 20).then_some(()));
}

fn parts(file: &Path) -> String {
    host(&["tar", "--list", "--file", &file.to_string_lossy()]).text()
}

#[test]
fn an_optimized_backup_comes_back_on_its_driver_and_on_no_other() {
    for driver in drivers() {
        let Some(daemon) = Daemon::ready() else { return };
        furnish(&daemon, driver);
        for (round, client) in Client::BOTH.into_iter().enumerate() {
            let file = daemon.scratch().join("web.tar");
            let path = file.to_string_lossy().into_owned();
            let export = ["export", "web", &path, "--optimized-storage", "--compression", "none"];
            daemon.run(client, &export).ok();
            assert_eq!(daemon.status("web"), "Running");
            let listed = parts(&file);
            for part in ["backup/container.bin", "backup/snapshots/before.bin"] {
                assert!(listed.contains(part), "{listed}");
            }
            assert!(!listed.contains("rootfs"), "{listed}");
            // The large file is in it once.
            let length = std::fs::metadata(&file).unwrap().len();
            assert!((64 << 20..96 << 20).contains(&length), "{length}");
            daemon.run(client, &["import", &path, "back", "--storage", "two"]).ok();
            assert_eq!(note(&daemon, "back"), "now");
            // Room of what was deleted is free half a minute later.
            if round == 0 {
                shares(&daemon, "two");
            }
            daemon.run(client, &["restore", "back", "before"]).ok();
            assert_eq!(note(&daemon, "back"), "then");
            daemon.run(client, &["delete", "back"]).ok();
            let refused = daemon.run(client, &["import", &path, "other", "--storage", "default"]);
            refused.fails_with(&format!("only a storage pool of driver {driver} reads it"));
        }
        daemon.lxc(["delete", "web", "--force"]).ok();
        clear(&daemon);
    }
}

#[test]
fn an_optimized_backup_of_a_volume_comes_back() {
    for driver in drivers() {
        let Some(daemon) = Daemon::ready() else { return };
        furnish(&daemon, driver);
        let volume =
            |words: &[&str]| daemon.run(Client::Lxc, &[&["storage", "volume"], words].concat());
        volume(&["create", "one", "data", "size=100MiB"]).ok();
        let file = |pool: &str| {
            daemon.folder().join("storage-pools").join(pool).join("custom/default_data")
        };
        daemon
            .lxc([
                "config",
                "device",
                "add",
                "web",
                "d",
                "disk",
                "pool=one",
                "source=data",
                "path=/d",
            ])
            .ok();
        daemon.sh("web", "echo then > /d/note").ok();
        volume(&["snapshot", "one", "data", "s"]).ok();
        daemon.sh("web", "echo now > /d/note").ok();
        let path = daemon.scratch().join("data.tar").to_string_lossy().into_owned();
        volume(&["export", "one", "data", &path, "--optimized-storage", "--compression", "none"])
            .ok();
        let listed = parts(path.as_ref());
        for part in ["backup/volume.bin", "backup/volume-snapshots/s.bin"] {
            assert!(listed.contains(part), "{listed}");
        }
        volume(&["import", "two", &path]).ok();
        assert!(file("two").exists());
        daemon
            .lxc([
                "config",
                "device",
                "add",
                "web",
                "t",
                "disk",
                "pool=two",
                "source=data",
                "path=/t",
            ])
            .ok();
        assert_eq!(daemon.sh("web", "cat /t/note").text(), "now");
        daemon
            .sh("web", "dd if=/dev/urandom of=/t/big bs=1M count=120 conv=fsync")
            .fails_with("quota exceeded");
        daemon.lxc(["config", "device", "remove", "web", "t"]).ok();
        volume(&["restore", "two", "data", "s"]).ok();
        daemon
            .lxc([
                "config",
                "device",
                "add",
                "web",
                "t",
                "disk",
                "pool=two",
                "source=data",
                "path=/t",
            ])
            .ok();
        assert_eq!(daemon.sh("web", "cat /t/note").text(), "then");
        daemon.lxc(["delete", "web", "--force"]).ok();
        volume(&["delete", "one", "data"]).ok();
        volume(&["delete", "two", "data"]).ok();
        clear(&daemon);
    }
}

#[test]
fn a_copy_in_another_pool_of_the_driver_shares_what_its_snapshots_have_and_is_refreshed() {
    for driver in drivers() {
        let Some(daemon) = Daemon::ready() else { return };
        furnish(&daemon, driver);
        daemon.lxc(["copy", "web", "copy", "--storage", "two"]).ok();
        assert_eq!(note(&daemon, "copy"), "now");
        shares(&daemon, "two");
        daemon.sh("web", "echo later > /root/note").ok();
        daemon.lxc(["snapshot", "web", "after"]).ok();
        daemon.sh("web", "echo last > /root/note").ok();
        daemon.lxc(["copy", "web", "copy", "--refresh", "--storage", "two"]).ok();
        assert_eq!(note(&daemon, "copy"), "last");
        shares(&daemon, "two");
        let all = daemon.get("/1.0/instances/copy/snapshots");
        assert_eq!(all.as_array().map(Vec::len), Some(2), "{all}");
        daemon.lxc(["restore", "copy", "after"]).ok();
        assert_eq!(note(&daemon, "copy"), "later");
        daemon.lxc(["delete", "copy"]).ok();

        daemon.lxc(["stop", "web", "--force"]).ok();
        daemon.lxc(["move", "web", "web", "--storage", "two"]).ok();
        let root = daemon.get("/1.0/instances/web")["expanded_devices"]["root"]["pool"].clone();
        assert_eq!(root, Value::from("two"));
        assert_eq!(note(&daemon, "web"), "last");
        daemon.lxc(["restore", "web", "before"]).ok();
        assert_eq!(note(&daemon, "web"), "then");
        daemon.lxc(["delete", "web"]).ok();
        clear(&daemon);
    }
}
