//! The disk is full: one clear error, nothing lost, and it goes on once there is room.

use std::fs;

use lab::{Client, Daemon, Options, images::pack};

/// MiB of the daemon's disk.
const DISK: u32 = 64;

/// Fills a disk up to its last byte.
fn fill(file: &std::path::Path) {
    let path = file.to_string_lossy();
    let run = lab::host(&["dd", "if=/dev/zero", &format!("of={path}"), "bs=64k"]);
    assert!(run.stderr.contains("No space left"), "{run}");
}

#[test]
fn an_import_that_does_not_fit() {
    let options = Options { disk: Some(DISK), ..Options::default() };
    let Some(daemon) = Daemon::with(&options) else { return };
    daemon.cli(["init", "--auto"]).ok();
    daemon.cli(["image", "build", "busybox", "--alias", "busybox"]).ok();
    daemon.busybox("x");
    // An image that is larger than the disk; it does not shrink when packed.
    let tree = lab::images::tree(&daemon);
    let big = tree.join("rootfs/big");
    lab::host(&["dd", "if=/dev/urandom", &format!("of={}", big.display()), "bs=1M", "count=80"])
        .ok();
    let file = daemon.scratch().join("big.tar");
    pack(&tree, &["metadata.yaml", "rootfs"], "--no-same-owner", &file);
    let path = file.to_string_lossy();
    for client in Client::BOTH {
        daemon.run(client, &["image", "import", &path]).fails_with("no space");
    }
    assert_eq!(daemon.urls("images").len(), 1);
    assert_eq!(daemon.cli(["exec", "x", "--", "hostname"]).text(), "x");
    daemon.cli(["launch", "local:busybox", "y"]).ok();
    daemon.cli(["delete", "x", "y", "--force"]).ok();
    daemon.no_instance_left();
}

#[test]
fn a_disk_that_is_full_to_the_last_byte() {
    let options = Options { disk: Some(DISK), ..Options::default() };
    let Some(mut daemon) = Daemon::with(&options) else { return };
    daemon.cli(["init", "--auto"]).ok();
    daemon.cli(["image", "build", "busybox", "--alias", "busybox"]).ok();
    daemon.busybox("x");
    let filler = daemon.folder().join("filler");
    fill(&filler);
    // What needs room fails with a word; what runs goes on.
    let refused = daemon.cli(["launch", "local:busybox", "y"]).fails();
    assert!(!refused.contains("panicked"), "{refused}");
    let _ = daemon.run(Client::Lxc, &["list"]);
    fs::remove_file(&filler).unwrap_or_else(|e| panic!("{e}"));
    // With room again it goes on; a daemon that ended over it starts again.
    if daemon.ended().is_some() {
        daemon.launch();
    } else {
        daemon.restart();
    }
    assert_eq!(daemon.cli(["exec", "x", "--", "hostname"]).text(), "x");
    assert_eq!(daemon.status("y"), "", "half an instance");
    daemon.busybox("y");
    daemon.cli(["delete", "x", "y", "--force"]).ok();
    daemon.no_instance_left();
}
