//! The disk is full: one clear error, nothing lost, and it goes on once there is room.

use std::fs;

use lab::{Client, Daemon, Disk, Options, images::pack};

/// MiB of the daemon's disk.
const DISK: Disk = Disk::Memory(64);

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

/// Room that is left while a change is tried, in KiB.
const ROOMS: [u64; 9] = [0, 4, 16, 64, 128, 256, 512, 1024, 4096];

/// How often a daemon is looked at whose change failed.
const LOOKS: u32 = 10;

/// What is there, as a user sees it.
fn seen(daemon: &Daemon) -> Vec<String> {
    let kinds = [
        "instances",
        "instances/still/snapshots",
        "images",
        "storage-pools/default/volumes/custom",
        "storage-pools/default/buckets",
        "networks",
        "profiles",
    ];
    let mut seen: Vec<_> = kinds.iter().flat_map(|kind| daemon.urls(kind)).collect();
    seen.sort();
    seen
}

/// Gives back so many bytes of a file's.
fn leave(file: &std::path::Path, room: u64) {
    let open = fs::File::options().write(true).open(file);
    let cut = open.and_then(|file| file.set_len(file.metadata()?.len() - room));
    cut.unwrap_or_else(|e| panic!("{e}"));
}

/// Waits until nothing is worked on. A daemon that ends for want of room is started again; it may end a while after
/// what failed, so then it is looked at for longer.
fn idle_again(daemon: &mut Daemon, failed: bool) {
    let (mut well, wanted) = (0, if failed { LOOKS } else { 1 });
    lab::until("no operation runs", || {
        if daemon.ended().is_some() {
            daemon.launch();
            well = 0;
        }
        let asked = daemon.try_request("GET", "/1.0/operations", &[], b"").ok()?;
        let all = asked.ok();
        well = if all["running"].as_array().map_or(0, Vec::len) == 0 { well + 1 } else { 0 };
        (well >= wanted).then_some(())
    });
}

/// Tries a change with ever more room, until it comes through without a word; each time it is done
/// or not at all, and comes through once there is room. `back` takes it back.
fn with_little_room(daemon: &mut Daemon, words: &[&str], back: &[&str]) {
    let filler = daemon.folder().join("filler");
    for room in ROOMS {
        let before = seen(daemon);
        fill(&filler);
        leave(&filler, room * 1024);
        let run = daemon.run(Client::Cli, words);
        fs::remove_file(&filler).unwrap_or_else(|e| panic!("{e}"));
        idle_again(daemon, run.status != 0);
        let with = format!("{words:?} with {room} KiB: {run}");
        if run.status != 0 {
            assert!(!run.stderr.contains("panicked") && !run.stderr.is_empty(), "{with}");
            assert_eq!(seen(daemon), before, "{with}");
            // What could not be undone for want of room is undone now that there is some.
            let come_through = || {
                let again = daemon.run(Client::Cli, words);
                let waits =
                    again.stderr.contains("is busy") && again.stderr.contains("tried again");
                (!waits).then_some(again)
            };
            lab::until("it comes through", come_through).ok();
        }
        assert_eq!(daemon.sh("x", "hostname").text(), "x", "{with}");
        daemon.run(Client::Cli, back).ok();
        assert_eq!(seen(daemon), before, "{with}");
    }
}

#[test]
fn changes_on_a_disk_with_little_room_are_done_or_not_at_all() {
    let options = Options { disk: Some(DISK), ..Options::default() };
    let Some(mut daemon) = Daemon::with(&options) else { return };
    daemon.cli(["init", "--auto"]).ok();
    daemon.cli(["image", "build", "busybox", "--alias", "busybox"]).ok();
    daemon.busybox("x");
    daemon.cli(["create", "local:busybox", "still"]).ok();
    let file = daemon.scratch().join("backup");
    let path = file.to_string_lossy().into_owned();
    daemon.cli(["export", "still", &path, "--compression", "none"]).ok();
    let changes: [(&[&str], &[&str]); 9] = [
        (&["launch", "local:busybox", "y"], &["delete", "y", "--force"]),
        (&["import", &path, "y"], &["delete", "y"]),
        (&["copy", "still", "y"], &["delete", "y"]),
        (&["snapshot", "still", "s"], &["delete", "still/s"]),
        (&["publish", "still", "--alias", "made"], &["image", "delete", "made"]),
        (
            &["storage", "volume", "create", "default", "v"],
            &["storage", "volume", "delete", "default", "v"],
        ),
        (
            &["storage", "bucket", "create", "default", "full"],
            &["storage", "bucket", "delete", "default", "full"],
        ),
        (&["network", "create", "lab1"], &["network", "delete", "lab1"]),
        (&["rename", "still", "other"], &["rename", "other", "still"]),
    ];
    for (words, back) in changes {
        with_little_room(&mut daemon, words, back);
    }
}
