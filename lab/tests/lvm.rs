//! Storage pools on volume groups, with the stock client. Where the kernel has no device mapper:
//! `cargo xtask test --rig uml lvm`.

use std::path::{Path, PathBuf};

use lab::{Client, Daemon, host, until};

/// A daemon with a pool `fast` on a volume group of its own; `None`, and a word why, where that cannot be.
fn daemon() -> Option<Daemon> {
    if !lab::installed("lvm") {
        lab::skip("lvm is not installed");
        return None;
    }
    if !Path::new("/sys/class/misc/device-mapper").exists() {
        lab::skip("the kernel has no device mapper");
        return None;
    }
    let daemon = Daemon::without_network()?;
    daemon.lxc(["storage", "create", "fast", "lvm", "size=2GiB"]).ok();
    Some(daemon)
}

fn pool(daemon: &Daemon, name: &str) -> PathBuf {
    daemon.folder().join("storage-pools").join(name)
}

/// A pool's group, file, loop device and mounts are gone.
fn nothing_left_of_a_pool(daemon: &Daemon, name: &str) {
    daemon.lxc(["storage", "delete", name]).ok();
    let file = pool(daemon, &format!("{name}.img"));
    assert!(!file.exists() && !pool(daemon, name).exists(), "{name} is still there");
    let groups = host(&["vgs", "--noheadings", "--options", "vg_name"]).text();
    assert!(!groups.contains(name), "{groups}");
    until("the loop device goes", || {
        let loops = host(&["losetup", "--all"]).text();
        (!loops.contains(&*file.to_string_lossy())).then_some(())
    });
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    assert!(!mounts.contains(&*pool(daemon, name).to_string_lossy()), "{mounts}");
}

#[test]
fn a_pool_on_a_volume_group_from_its_making_to_its_end() {
    let Some(daemon) = daemon() else { return };
    let show = daemon.lxc(["storage", "show", "fast"]).text();
    assert!(show.contains("driver: lvm") && show.contains("fast.img"), "{show}");
    let info = daemon.lxc(["storage", "info", "fast"]).text();
    assert!(info.contains("total space: 1.9"), "{info}");

    // A root that may have 64 MiB.
    daemon.lxc(["launch", "busybox", "x", "-s", "fast", "-d", "root,size=64MiB"]).ok();
    daemon.sh("x", "echo kept > /root/file && sync").ok();
    daemon.sh("x", "dd if=/dev/zero of=/root/big bs=1M count=80").fails_with("No space left");
    daemon.sh("x", "rm /root/big && sync").ok();
    daemon.lxc(["restart", "x", "--force"]).ok();
    assert_eq!(daemon.sh("x", "cat /root/file").text(), "kept");

    daemon.lxc(["storage", "set", "fast", "size", "3GiB"]).ok();
    let info = daemon.lxc(["storage", "info", "fast"]).text();
    assert!(info.contains("total space: 2.9"), "{info}");
    daemon.lxc(["storage", "set", "fast", "size", "1GiB"]).fails_with("cannot shrink");
    daemon.lxc(["storage", "delete", "fast"]).fails_with("in use");
    daemon.lxc(["delete", "x", "--force"]).ok();
    nothing_left_of_a_pool(&daemon, "fast");
}

#[test]
fn snapshots_and_copies_are_what_was_then() {
    let Some(daemon) = daemon() else { return };
    daemon.lxc(["launch", "busybox", "x", "-s", "fast"]).ok();
    daemon.sh("x", "echo one > /root/note").ok();
    daemon.lxc(["snapshot", "x", "s1"]).ok();
    daemon.sh("x", "echo two > /root/note").ok();
    daemon.lxc(["copy", "x/s1", "y"]).ok();
    daemon.lxc(["copy", "x", "z"]).ok();
    daemon.lxc(["start", "y"]).ok();
    daemon.lxc(["start", "z"]).ok();
    let note = |name: &str| daemon.sh(name, "cat /root/note").text();
    assert_eq!((note("x"), note("y"), note("z")), ("two".into(), "one".into(), "two".into()));
    daemon.lxc(["restore", "x", "s1"]).ok();
    assert_eq!(note("x"), "one");
    daemon.lxc(["stop", "y", "--force"]).ok();
    daemon.lxc(["rename", "y", "w"]).ok();
    // Into a pool of another kind, and back.
    daemon.lxc(["copy", "w", "v", "-s", "default"]).ok();
    daemon.lxc(["copy", "v", "u", "-s", "fast"]).ok();
    daemon.lxc(["start", "u"]).ok();
    assert_eq!(note("u"), "one");
    for name in ["x", "w", "z", "v", "u"] {
        daemon.lxc(["delete", name, "--force"]).ok();
    }
    nothing_left_of_a_pool(&daemon, "fast");
}

#[test]
fn a_pool_is_there_again_after_the_daemon_and_after_a_boot() {
    let Some(mut daemon) = daemon() else { return };
    daemon.lxc(["launch", "busybox", "x", "-s", "fast"]).ok();
    daemon.sh("x", "echo kept > /root/file && sync").ok();
    daemon.kill9();
    daemon.launch();
    daemon.sh("x", "echo more >> /root/file && sync").ok();
    daemon.lxc(["snapshot", "x", "s1"]).ok();
    daemon.lxc(["stop", "x", "--force"]).ok();
    daemon.kill9();
    // What a boot does to mounts and volumes.
    host(&["umount", "--recursive", &pool(&daemon, "fast").to_string_lossy()]).ok();
    host(&["vgchange", "--activate", "n", "fast"]).ok();
    daemon.launch();
    daemon.lxc(["start", "x"]).ok();
    assert_eq!(daemon.sh("x", "cat /root/file").text(), "kept\nmore");
    daemon.lxc(["restore", "x", "s1"]).ok();
    daemon.lxc(["delete", "x", "--force"]).ok();
    nothing_left_of_a_pool(&daemon, "fast");
}

#[test]
fn a_custom_volume_has_its_size_and_its_users() {
    let Some(daemon) = daemon() else { return };
    let volume =
        |words: &[&str]| daemon.run(Client::Lxc, &[&["storage", "volume"], words].concat());
    daemon.lxc(["storage", "set", "fast", "volume.size", "256MiB"]).ok();
    volume(&["create", "fast", "data", "size=32MiB"]).ok();
    volume(&["create", "fast", "usual"]).ok();
    daemon.lxc(["launch", "busybox", "small", "-s", "fast"]).ok();
    let room = daemon.sh("small", "df -m / | tail -n 1 | awk '{ print $(NF - 4) }'").text();
    assert!((200..=256).contains(&room.parse().unwrap_or(0)), "{room} MiB");
    daemon.lxc(["delete", "small", "--force"]).ok();
    daemon.busybox("web");
    volume(&["attach", "fast", "data", "web", "/data"]).ok();
    volume(&["attach", "fast", "usual", "web", "/usual"]).ok();
    daemon.sh("web", "dd if=/dev/zero of=/data/big bs=1M count=40").fails_with("No space left");
    daemon.sh("web", "rm /data/big; echo then > /data/note; sync").ok();
    volume(&["set", "fast", "data", "size=100MiB"]).ok();
    daemon.sh("web", "dd if=/dev/zero of=/data/big bs=1M count=40 && sync").ok();
    volume(&["set", "fast", "data", "size=20MiB"]).fails_with("in use");
    volume(&["snapshot", "fast", "data", "a"]).ok();
    daemon.sh("web", "echo now > /data/note; rm /data/big; sync").ok();
    daemon.lxc(["stop", "web", "--force"]).ok();
    volume(&["restore", "fast", "data", "a"]).ok();
    daemon.lxc(["start", "web"]).ok();
    assert_eq!(daemon.sh("web", "cat /data/note; ls /data").text(), "then\nbig\nnote");
    daemon.lxc(["delete", "web", "--force"]).ok();
    volume(&["delete", "fast", "data"]).ok();
    volume(&["delete", "fast", "usual"]).ok();
    nothing_left_of_a_pool(&daemon, "fast");
}

#[test]
fn volumes_of_every_kind_are_kept_and_a_volume_chooses_its_file_system() {
    let Some(daemon) = daemon() else { return };
    lab::volumes::an_iso_is_kept(&daemon, "fast");
    lab::volumes::a_qcow2_becomes_a_disk(&daemon, "fast");
    lab::volumes::a_refresh_follows(&daemon, "fast");
    let volume =
        |words: &[&str]| daemon.run(Client::Lxc, &[&["storage", "volume"], words].concat());
    let choice = ["block.filesystem=xfs", "block.mount_options=noatime", "size=320MiB"];
    volume(&[&["create", "fast", "own"], &choice[..]].concat()).ok();
    volume(&["create", "default", "none", choice[0]]).fails_with("means nothing in a pool of dir");
    volume(&["create", "fast", "none", "zfs.block_mode=true"]).fails_with("pool of lvm");
    volume(&["create", "fast", "none", "--type=block", choice[0]]).fails_with("content type block");
    volume(&["set", "fast", "own", "block.filesystem=ext4"]).fails_with("only counts when");
    daemon.busybox("web");
    volume(&["attach", "fast", "own", "web", "/own"]).ok();
    let mount = |daemon: &Daemon| daemon.sh("web", "grep ' /own ' /proc/mounts").text();
    assert!(mount(&daemon).contains(" xfs "), "{}", mount(&daemon));
    daemon.sh("web", "echo kept > /own/note && sync").ok();
    daemon.lxc(["stop", "web", "--force"]).ok();
    volume(&["set", "fast", "own", "block.mount_options=nodev,discard"]).ok();
    daemon.lxc(["start", "web"]).ok();
    assert_eq!(daemon.sh("web", "cat /own/note").text(), "kept");
    daemon.lxc(["delete", "web", "--force"]).ok();
    // What means nothing there is left behind.
    volume(&["move", "fast/own", "default/own"]).ok();
    let moved = daemon.get("/1.0/storage-pools/default/volumes/custom/own");
    assert!(moved["config"].get("block.filesystem").is_none(), "{moved}");
    volume(&["delete", "default", "own"]).ok();
    // A root's disk says so of the root.
    let says = ["-d", "root,initial.block.filesystem=xfs", "-d", "root,size=320MiB"];
    let root = [&["launch", "busybox", "root", "-s", "fast"], &says[..]].concat();
    daemon.run(Client::Lxc, &root).ok();
    let mount = daemon.sh("root", "grep ' / ' /proc/mounts").text();
    assert!(mount.contains(" xfs "), "{mount}");
    daemon.lxc(["delete", "root", "--force"]).ok();
    nothing_left_of_a_pool(&daemon, "fast");
}

#[test]
fn machines_live_on_it_too() {
    let Some(daemon) = daemon() else { return };
    if !daemon.tiny() {
        return;
    }
    lab::machines::live_in(&daemon, "fast");
    nothing_left_of_a_pool(&daemon, "fast");
    daemon.no_instance_left();
}

#[test]
fn what_cannot_become_a_pool_is_refused_and_leaves_nothing() {
    let Some(daemon) = daemon() else { return };
    let create = |option: &str| daemon.lxc(["storage", "create", "bad", "lvm", option]);
    create("size=10MiB").fails_with("it can be");
    create("source=/nowhere/at/all").fails_with("no such disk");
    create("source=/proc").fails_with("it is no disk");
    create("source=none-such").fails_with("none of that name");
    create("source=fast").fails_with("another storage pool");
    create("lvm.vg_name=fast").fails_with("choose another with lvm.vg_name");
    create("lvm.vg_name=-x").fails_with("lvm.vg_name");
    create("volume.block.filesystem=btrfs").fails_with("ext4 or xfs");
    assert!(!daemon.lxc(["storage", "list"]).text().contains("bad"));
    assert!(!pool(&daemon, "bad").exists() && !pool(&daemon, "bad.img").exists());
    nothing_left_of_a_pool(&daemon, "fast");
}

/// What a boot does to an encrypted pool.
fn boot(daemon: &mut Daemon, driver: &str) {
    daemon.kill9();
    host(&["umount", "--recursive", &pool(daemon, "safe").to_string_lossy()]).ok();
    if driver == "lvm" {
        host(&["vgchange", "--activate", "n", "safe"]).ok();
    }
    let mapped = host(&["dmsetup", "ls", "--target", "crypt"]).text();
    let name = mapped.split_whitespace().find(|word| word.starts_with("microcloud-"));
    host(&["cryptsetup", "close", name.unwrap_or_default()]).ok();
    daemon.launch();
}

#[test]
fn an_encrypted_pool_opens_with_the_daemon_and_dies_with_its_key() {
    let Some(mut daemon) = daemon() else { return };
    if !lab::installed("cryptsetup") {
        return lab::skip("cryptsetup is not installed");
    }
    let keys = daemon.folder().join("storage-keys");
    let count = || std::fs::read_dir(&keys).map_or(0, Iterator::count);
    for driver in ["btrfs", "lvm"] {
        let words = ["storage", "create", "safe", driver, "size=1GiB", "source.encrypt=true"];
        daemon.lxc(words).ok();
        assert_eq!(count(), 1);
        daemon.lxc(["launch", "busybox", "x", "-s", "safe"]).ok();
        daemon.sh("x", "echo kept > /root/file && sync").ok();
        daemon
            .lxc(["storage", "set", "safe", "source.encrypt", "false"])
            .fails_with("cannot change");
        daemon.lxc(["stop", "x", "--force"]).ok();
        boot(&mut daemon, driver);
        daemon.lxc(["start", "x"]).ok();
        assert_eq!(daemon.sh("x", "cat /root/file").text(), "kept");

        // Another key, while it runs; then a passphrase, which is kept nowhere.
        daemon.cli(["storage", "rekey", "safe"]).ok();
        let say = |daemon: &Daemon, verb: &[&str], said: &str| {
            daemon.run_with(Client::Cli, &[&["storage"], verb].concat(), said.into())
        };
        say(&daemon, &["rekey", "safe", "--passphrase"], "open sesame\n").ok();
        assert_eq!(count(), 0);
        assert_eq!(daemon.sh("x", "cat /root/file").text(), "kept");
        daemon.lxc(["stop", "x", "--force"]).ok();
        boot(&mut daemon, driver);
        until("it waits for its passphrase", || {
            let pool = daemon.get("/1.0/storage-pools/safe");
            (pool["status"] == "Unavailable").then_some(())
        });
        daemon.lxc(["start", "x"]).fails_with("storage unlock");
        say(&daemon, &["unlock", "safe"], "open barley\n").fails_with("does not open it");
        say(&daemon, &["unlock", "safe"], "open sesame\n").ok();
        assert_eq!(daemon.get("/1.0/storage-pools/safe")["status"], "Created");
        daemon.lxc(["start", "x"]).ok();
        assert_eq!(daemon.sh("x", "cat /root/file").text(), "kept");
        say(&daemon, &["rekey", "safe", "--from-passphrase"], "open sesame\n").ok();
        assert_eq!(count(), 1);
        daemon.lxc(["delete", "x", "--force"]).ok();
        nothing_left_of_a_pool(&daemon, "safe");
        assert_eq!(count(), 0);
    }
    daemon
        .lxc(["storage", "create", "safe", "dir", "source.encrypt=true"])
        .fails_with("source.encrypt");
    daemon.cli(["storage", "rekey", "fast"]).fails_with("not encrypted");
    nothing_left_of_a_pool(&daemon, "fast");
}
