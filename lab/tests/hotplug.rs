//! Devices that come and go while an instance runs.

use std::fs;

use lab::{Client, Daemon, until};

/// A folder of the host with a file in it.
fn shared(daemon: &Daemon, name: &str) -> String {
    let path = daemon.scratch().join(name);
    fs::create_dir_all(&path).unwrap_or_else(|e| panic!("cannot make {path:?}: {e}"));
    fs::write(path.join("file"), name).unwrap_or_else(|e| panic!("cannot write: {e}"));
    path.display().to_string()
}

fn add(daemon: &Daemon, device: &str, options: &[&str]) -> lab::Run {
    let words = ["config", "device", "add", "x", device];
    daemon.run(Client::Lxc, &[&words[..], options].concat())
}

#[test]
fn disks_come_change_and_go() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    let (one, two) = (shared(&daemon, "one"), shared(&daemon, "two"));
    let from_one = format!("source={one}");
    add(&daemon, "data", &["disk", &from_one, "path=/data"]).ok();
    assert_eq!(daemon.sh("x", "cat /data/file").text(), "one");
    daemon.lxc(["config", "device", "set", "x", "data", "source", &two]).ok();
    assert_eq!(daemon.sh("x", "cat /data/file").text(), "two");
    daemon.lxc(["config", "device", "set", "x", "data", "path", "/elsewhere"]).ok();
    assert_eq!(daemon.sh("x", "cat /elsewhere/file; test ! -e /data/file").text(), "two");
    add(&daemon, "fixed", &["disk", &from_one, "path=/fixed", "readonly=true", "shift=true"]).ok();
    daemon.sh("x", "cat /fixed/file").ok();
    assert_ne!(daemon.sh("x", "touch /fixed/new").status, 0);
    assert_ne!(daemon.sh("x", "mount -o remount,rw,bind /fixed && touch /fixed/new").status, 0);
    daemon.lxc(["config", "device", "remove", "x", "fixed"]).ok();
    daemon.lxc(["config", "device", "remove", "x", "data"]).ok();
    daemon.sh("x", "test ! -e /fixed/file && test ! -e /elsewhere/file").ok();
    let mounts = daemon.sh("x", "cat /proc/mounts").text();
    assert!(!mounts.contains("/fixed") && !mounts.contains("/elsewhere"), "{mounts}");
}

#[test]
fn what_cannot_be_plugged_changes_nothing() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    let address = daemon.address("x").to_string();
    let before = daemon.get("/1.0/instances/x");
    let source = format!("source={}", shared(&daemon, "one"));
    add(&daemon, "data", &["disk", "source=/nowhere/at-all", "path=/data"])
        .fails_with("/nowhere/at-all");
    add(&daemon, "data", &["disk", &source, "path=/etc/passwd/x"]).fails_with("\"data\"");
    add(&daemon, "data", &["disk", &source]).fails_with("path");
    add(&daemon, "eth1", &["nic", "network=nowhere"]).fails_with("nowhere");
    add(&daemon, "eth1", &["nic", "nictype=bridged", "parent=nobr0"]).fails_with("nobr0");
    add(&daemon, "eth1", &["nic", "network=mcbr0", "name=eth0"]).fails_with("eth0");
    let over = ["config", "device", "override", "x", "eth0", "mtu=7"];
    daemon.lxc(over).fails_with("mtu");
    assert_eq!(daemon.get("/1.0/instances/x"), before);
    daemon.sh("x", "test ! -e /data/file").ok();
    assert_eq!(daemon.address("x").to_string(), address);
    add(&daemon, "data", &["disk", "source=/nowhere/at-all", "path=/data", "required=false"]).ok();
    daemon.lxc(["config", "device", "remove", "x", "data"]).ok();
}

#[test]
fn cards_come_and_go() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    let first = daemon.address("x").to_string();
    // Its name comes before that of the card that is there.
    add(&daemon, "a", &["nic", "network=mcbr0"]).ok();
    let lease =
        daemon.sh("x", "ip link set eth1 up; udhcpc -i eth1 -n -q -s /etc/udhcpc.script 2>&1");
    assert!(lease.shown().contains("lease of "), "{lease}");
    assert_eq!(daemon.cli(["config", "get", "x", "volatile.a.name"]).text(), "eth1");
    daemon.lxc(["config", "device", "set", "x", "a", "name", "lan"]).ok();
    daemon.sh("x", "test -e /sys/class/net/lan && test ! -e /sys/class/net/eth1").ok();
    daemon.lxc(["config", "device", "remove", "x", "a"]).ok();
    daemon.sh("x", "test ! -e /sys/class/net/lan").ok();
    assert_eq!(daemon.address("x").to_string(), first);
    let tables = || daemon.netns().run(&["nft", "list", "tables", "bridge"]).text();
    let filter = ["config", "device", "override", "x", "eth0", "security.mac_filtering=true"];
    daemon.lxc(filter).ok();
    assert_ne!(tables(), "");
    assert_eq!(daemon.address("x").to_string(), first, "the card stays as it is");
    daemon.lxc(["config", "device", "set", "x", "eth0", "security.mac_filtering", "false"]).ok();
    assert_eq!(tables(), "");
}

#[test]
fn a_profile_reaches_all_that_run() {
    let Some(daemon) = Daemon::ready() else { return };
    for name in ["x", "y"] {
        daemon.busybox(name);
    }
    daemon.cli(["create", "local:busybox", "z"]).ok();
    let source = format!("source={}", shared(&daemon, "one"));
    let words = ["profile", "device", "add", "default", "data", "disk", "path=/data", &source];
    daemon.lxc(words).ok();
    for name in ["x", "y"] {
        assert_eq!(daemon.sh(name, "cat /data/file").text(), "one");
    }
    daemon.lxc(["profile", "device", "add", "default", "eth1", "nic", "network=mcbr0"]).ok();
    for name in ["x", "y"] {
        daemon.sh(name, "test -e /sys/class/net/eth1").ok();
    }
    daemon.cli(["start", "z"]).ok();
    daemon.sh("z", "cat /data/file && test -e /sys/class/net/eth1").ok();
    // What one of them cannot have, none gets.
    daemon.sh("y", "touch /file").ok();
    let bad = ["profile", "device", "add", "default", "more", "disk", "path=/file/more", &source];
    daemon.lxc(bad).fails_with("\"more\"");
    daemon.sh("x", "test ! -e /file/more/file").ok();
    let shown = daemon.lxc(["profile", "show", "default"]).text();
    assert!(!shown.contains("more"), "{shown}");
    for device in ["data", "eth1"] {
        daemon.lxc(["profile", "device", "remove", "default", device]).ok();
    }
    for name in ["x", "y"] {
        daemon.sh(name, "test ! -e /data/file && test ! -e /sys/class/net/eth1").ok();
    }
}

#[test]
fn devices_outlive_the_daemon_and_a_restart() {
    let Some(mut daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    let source = format!("source={}", shared(&daemon, "one"));
    add(&daemon, "data", &["disk", &source, "path=/data"]).ok();
    add(&daemon, "eth1", &["nic", "network=mcbr0"]).ok();
    daemon.kill9();
    daemon.launch();
    let there = "cat /data/file && test -e /sys/class/net/eth1";
    daemon.sh("x", there).ok();
    daemon.lxc(["config", "device", "remove", "x", "eth1"]).ok();
    daemon.sh("x", "test ! -e /sys/class/net/eth1").ok();
    daemon.cli(["restart", "x", "--force"]).ok();
    daemon.sh("x", "cat /data/file && test ! -e /sys/class/net/eth1").ok();
    // Whatever a crash interrupts is there whole or not at all.
    let word = |there: bool| if there { "there" } else { "gone" };
    for pause in [0, 3, 6, 10, 15, 25] {
        let run = daemon.begin(
            Client::Lxc,
            &["config", "device", "add", "x", "more", "disk", &source, "path=/more"],
            Vec::new(),
        );
        std::thread::sleep(std::time::Duration::from_millis(60 + pause));
        daemon.kill9();
        drop(run.wait());
        daemon.launch();
        let row = daemon.get("/1.0/instances/x")["devices"]["more"].is_object();
        let inside = until("it answers", || {
            let run = daemon.sh("x", "test -e /more/file && echo yes; true");
            (run.status == 0).then(|| run.shown().contains("yes"))
        });
        assert_eq!(word(row), word(inside));
        if row {
            daemon.lxc(["config", "device", "remove", "x", "more"]).ok();
        }
    }
}
