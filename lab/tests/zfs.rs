//! Storage pools on ZFS, with the stock client. Where the kernel has none: `cargo xtask test --rig zfs zfs`.

use std::path::PathBuf;

use lab::{Daemon, host, until};

/// The pool of ZFS: its name is the machine's, not the daemon's.
const TANK: &str = "mclab-tank";

/// A daemon with a pool `fast` on a pool of ZFS of its own; `None`, and a word why, where that cannot be.
fn daemon() -> Option<Daemon> {
    let version = std::fs::read_to_string("/sys/module/zfs/version").unwrap_or_default();
    if !lab::installed("zpool") || version.is_empty() || version.starts_with("2.1") {
        lab::skip("the kernel has no ZFS of 2.2 or later");
        return None;
    }
    let daemon = Daemon::without_network()?;
    let name = format!("zfs.pool_name={TANK}");
    daemon.lxc(["storage", "create", "fast", "zfs", "size=1GiB", &name]).ok();
    Some(daemon)
}

fn pool(daemon: &Daemon, name: &str) -> PathBuf {
    daemon.folder().join("storage-pools").join(name)
}

fn nothing_left(daemon: &Daemon) {
    until("the pool goes", || {
        let there = pool(daemon, "fast.img").exists() || pool(daemon, "fast").exists();
        (!there).then_some(())
    });
    let pools = host(&["zpool", "list", "-H", "-o", "name"]).text();
    assert!(!pools.contains(TANK), "{pools}");
}

#[test]
fn instances_live_on_datasets() {
    let Some(mut daemon) = daemon() else { return };
    daemon.lxc(["launch", "busybox", "x", "-s", "fast", "-d", "root,size=64MiB"]).ok();
    daemon.sh("x", "echo one > /root/note && sync").ok();
    daemon.sh("x", "dd if=/dev/urandom of=/root/big bs=1M count=80").fails_with("quota exceeded");
    daemon.sh("x", "rm -f /root/big && sync").ok();
    daemon.lxc(["snapshot", "x", "s1"]).ok();
    daemon.sh("x", "echo two > /root/note && sync").ok();
    daemon.lxc(["copy", "x/s1", "y"]).ok();
    daemon.lxc(["start", "y"]).ok();
    let note = |daemon: &Daemon, name: &str| daemon.sh(name, "cat /root/note").text();
    assert_eq!((note(&daemon, "x"), note(&daemon, "y")), ("two".into(), "one".into()));
    daemon.lxc(["restore", "x", "s1"]).ok();
    assert_eq!(note(&daemon, "x"), "one");
    // What the copy stands on goes before it.
    daemon.lxc(["delete", "x", "--force"]).ok();
    daemon.lxc(["restart", "y", "--force"]).ok();
    assert_eq!(note(&daemon, "y"), "one");
    daemon.lxc(["stop", "y", "--force"]).ok();

    // What a boot does to mounts and pools.
    daemon.kill9();
    host(&["umount", "--recursive", &pool(&daemon, "fast").to_string_lossy()]).ok();
    host(&["zpool", "export", TANK]).ok();
    daemon.launch();
    daemon.lxc(["start", "y"]).ok();
    assert_eq!(note(&daemon, "y"), "one");
    let said = daemon.cli(["storage", "verify", "fast"]).ok().text();
    assert!(said.contains("0 places repaired, 0 damaged"), "{said}");
    daemon.lxc(["storage", "set", "fast", "size", "2GiB"]).ok();
    let info = daemon.lxc(["storage", "info", "fast"]).text();
    assert!(info.contains("total space: 1.8"), "{info}");
    daemon.lxc(["delete", "y", "--force"]).ok();
    daemon.lxc(["storage", "delete", "fast"]).ok();
    nothing_left(&daemon);
}

#[test]
fn what_cannot_become_a_pool_is_refused_and_leaves_nothing() {
    let Some(mut daemon) = daemon() else { return };
    let create = |options: &[&str]| {
        let words = [&["storage", "create", "bad", "zfs"], options].concat();
        daemon.run(lab::Client::Lxc, &words)
    };
    create(&["size=10MiB"]).fails_with("it can be");
    create(&["source=/nowhere/at/all"]).fails_with("no such disk");
    create(&["source=none-such/x"]).fails_with("its pool is not there");
    create(&[&format!("zfs.pool_name={TANK}")]).fails_with("there is a pool of that name already");
    create(&["zfs.pool_name=-x"]).fails_with("zfs.pool_name");
    host(&["zfs", "create", &format!("{TANK}/others")]).ok();
    host(&["zfs", "create", &format!("{TANK}/others/data")]).ok();
    create(&[&format!("source={TANK}/others")]).fails_with("it has datasets in it");
    create(&[&format!("source={TANK}/new")]).ok();
    daemon.lxc(["storage", "delete", "bad"]).ok();
    let left = host(&["zfs", "list", "-H", "-o", "name", "-r", TANK]).text();
    assert!(!left.contains("new") && left.contains("others/data"), "{left}");
    assert!(!daemon.lxc(["storage", "list"]).text().contains("bad"));
    daemon.lxc(["storage", "delete", "fast"]).fails_with("others");
    // What hinders a task is looked for again in a while, and when the daemon starts.
    host(&["zfs", "destroy", "-r", &format!("{TANK}/others")]).ok();
    daemon.kill9();
    daemon.launch();
    nothing_left(&daemon);
}
