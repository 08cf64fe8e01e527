//! Another size for the root of an instance that is there.

use lab::{Client, Daemon, Run, until};

/// Drivers that enforce sizes and can be used here, with how small a root can be.
fn drivers() -> Vec<&'static str> {
    let chosen = std::env::var("LAWS_OF");
    let is_chosen = |name: &str| chosen.as_ref().map_or(true, |of| of == name);
    let zfs = std::fs::read_to_string("/sys/module/zfs/version").unwrap_or_default();
    let found = [
        ("btrfs", lab::installed("mkfs.btrfs")),
        ("zfs", lab::installed("zpool") && !zfs.is_empty() && !zfs.starts_with("2.1")),
        (
            "lvm",
            lab::installed("lvm") && std::path::Path::new("/sys/class/misc/device-mapper").exists(),
        ),
    ];
    let found = found.into_iter().filter(|(name, able)| *able && is_chosen(name));
    let found: Vec<_> = found.map(|(name, _)| name).collect();
    if found.is_empty() {
        lab::skip("no storage driver that enforces sizes can be used here");
    }
    found
}

fn write(daemon: &Daemon, megabytes: u32) -> Run {
    let fill = format!("dd if=/dev/urandom of=/root/big bs=1M count={megabytes} && sync /root/big");
    daemon.sh("web", &fill)
}

#[test]
fn a_root_grows_while_it_runs_and_shrinks_where_that_loses_nothing() {
    for driver in drivers() {
        let Some(daemon) = Daemon::without_network() else { return };
        let create = ["storage", "create", "fast", driver, "size=1GiB"];
        let more: &[&str] = if driver == "zfs" { &["zfs.pool_name=mclab-size"] } else { &[] };
        daemon.run(Client::Lxc, &[&create[..], more].concat()).ok();
        daemon.lxc(["profile", "create", "sized"]).ok();
        let root = ["profile", "device", "add", "sized", "root", "disk", "path=/", "pool=fast"];
        daemon.run(Client::Lxc, &[&root[..], &["size=96MiB"]].concat()).ok();
        daemon.lxc(["launch", "busybox", "web", "-p", "default", "-p", "sized"]).ok();
        assert_ne!(write(&daemon, 120).status, 0, "{driver}: it is not larger than that");
        daemon.sh("web", "rm /root/big; sync").ok();

        // By the profile, and by the instance itself.
        daemon.lxc(["profile", "device", "set", "sized", "root", "size=192MiB"]).ok();
        write(&daemon, 120).ok();
        daemon.lxc(["config", "device", "override", "web", "root", "size=320MiB"]).ok();
        write(&daemon, 230).ok();
        assert_eq!(daemon.status("web"), "Running");

        let smaller = ["config", "device", "set", "web", "root", "size=128MiB"];
        let refused = daemon.lxc(smaller);
        assert_ne!(refused.status, 0, "{driver}: what is in it does not fit");
        let size = daemon.get("/1.0/instances/web")["devices"]["root"]["size"].clone();
        assert_eq!(size, "320MiB", "{driver}");
        daemon.sh("web", "rm /root/big; sync").ok();
        match driver {
            "lvm" => drop(daemon.lxc(smaller).fails_with("cannot shrink volume")),
            _ => {
                // Room that is freed is counted as free a little later.
                until("it shrinks", || (daemon.lxc(smaller).status == 0).then_some(()));
                assert_ne!(write(&daemon, 150).status, 0, "{driver}");
            }
        }
        daemon.lxc(["delete", "web", "--force"]).ok();
        daemon.lxc(["profile", "delete", "sized"]).ok();
        daemon.lxc(["storage", "delete", "fast"]).ok();
    }
}
