//! Buckets as S3 clients see them: boto3 and s3cmd of Debian, over TLS with the server's own certificate.

use std::time::Duration;

use lab::{
    Background,
    s3::{Door, after},
};

#[test]
fn objects_are_put_got_listed_copied_tagged_and_deleted() {
    let Some(door) = Door::open(&[]) else { return };
    for function in [
        "objects",
        "names",
        "lists",
        "parts",
        "presigned",
        "styles",
        "cors",
        "lifecycle",
        "versions",
    ] {
        door.run(function);
    }
}

#[test]
fn what_is_wrong_gets_one_error_and_changes_nothing() {
    let Some(door) = Door::open(&[]) else { return };
    door.run("bad");
}

#[test]
fn a_full_bucket_says_so_and_takes_what_fits() {
    let Some(door) = Door::open(&["size=1MB"]) else { return };
    door.run("full");
}

#[test]
fn a_bucket_on_btrfs_is_the_same() {
    if !lab::installed("mkfs.btrfs") {
        return lab::skip("mkfs.btrfs is not installed");
    }
    let Some(door) = Door::of("fast", &["size=50MB"]) else { return };
    for function in ["objects", "names", "parts", "lifecycle", "versions"] {
        door.run(function);
    }
    door.daemon.lxc(["storage", "delete", "fast"]).fails_with("in use");
    door.daemon.cli(["storage", "bucket", "delete", "fast", "photos"]).ok();
    door.daemon.lxc(["storage", "delete", "fast"]).ok();
}

#[test]
fn a_full_pool_says_so_and_loses_nothing() {
    if !lab::installed("mkfs.btrfs") {
        return lab::skip("mkfs.btrfs is not installed");
    }
    let Some(door) = Door::of("fast", &[]) else { return };
    door.run("no_room");
    door.daemon.cli(["storage", "bucket", "delete", "fast", "photos"]).ok();
    door.daemon.lxc(["storage", "delete", "fast"]).ok();
}

#[test]
fn a_large_object_takes_no_memory() {
    let Some(door) = Door::open(&[]) else { return };
    door.run("objects");
    let mut large = door.begin("large", "").limit(Duration::from_secs(300));
    let (before, mut most) = (door.memory(), 0);
    while large.runs() {
        most = most.max(door.memory());
        std::thread::sleep(Duration::from_millis(20));
    }
    large.wait().ok();
    assert!(most < before + (24 << 20), "{before} bytes before, {most} at most");
}

#[test]
fn what_was_acknowledged_is_there_and_whole_after_kills() {
    let Some(mut door) = Door::open(&[]) else { return };
    let mut acknowledged = String::new();
    // At other moments each time; what one kill left is there after the next.
    for (turn, milliseconds) in [4000, 1100, 2300, 1700].into_iter().enumerate() {
        let load = door.begin("load", &turn.to_string());
        std::thread::sleep(Duration::from_millis(milliseconds));
        door.daemon.kill9();
        acknowledged += &load.wait().ok().text().replace("done", "");
        door.daemon.launch();
        let check = door.begin("check", acknowledged.trim());
        println!("{}", check.limit(Duration::from_secs(120)).wait().ok());
    }
    assert!(acknowledged.lines().count() > 40, "{acknowledged}");
    // What was under way left nothing.
    let data = door.daemon.folder().join("storage-pools/default/buckets/photos/data");
    let incoming = std::fs::read_dir(data.join("incoming")).map_or(0, Iterator::count);
    assert_eq!(incoming, 0);
}

#[test]
fn the_door_opens_moves_and_closes_with_its_option() {
    let Some(mut door) = Door::open(&[]) else { return };
    let set = |door: &Door, value: &str| {
        door.daemon.lxc(["config", "set", "core.storage_buckets_address", value])
    };
    let url = |door: &Door| {
        let shown = door.daemon.cli(["storage", "bucket", "show", "default", "photos"]).text();
        after(&shown, "s3_url:")
    };
    assert_eq!(url(&door), "https://127.0.0.1:8555/photos");
    door.run("lists");
    // Nobody has that address; the old one goes on.
    set(&door, "192.0.2.1:8555").fails_with("cannot listen on 192.0.2.1:8555");
    door.run("lists");
    set(&door, ":9000").ok();
    assert!(!door.begin("lists", "").wait().shown().contains("done\n"));
    door.port = 9000;
    door.run("lists");
    door.daemon.restart();
    lab::within(lab::SHORT, "the door opens again", || {
        let run = door.begin("lists", "").wait();
        run.shown().contains("done").then_some(())
    });
    door.daemon.lxc(["config", "unset", "core.storage_buckets_address"]).ok();
    assert!(!door.begin("lists", "").wait().shown().contains("done\n"));
    let shown = door.daemon.cli(["storage", "bucket", "show", "default", "photos"]).text();
    assert!(shown.contains("s3_url: \"\"") || shown.contains("s3_url: ''"), "{shown}");
}

#[test]
fn s3cmd_syncs_a_folder_there_and_back() {
    if !lab::installed("s3cmd") {
        return lab::skip("s3cmd is not installed");
    }
    let Some(door) = Door::open(&[]) else { return };
    let host = door.endpoint().replace("https://", "");
    let s3cmd = |words: &[&str]| {
        let mut command = door.daemon.netns().command("s3cmd");
        command.args(["--config=/dev/null", "--no-check-certificate", "--no-progress"]);
        // Its own default is "US", which is no region for s3s.
        command.arg("--region=us-east-1");
        command.arg(format!("--host={host}")).arg(format!("--host-bucket={host}"));
        command.arg(format!("--access_key={}", door.access));
        command.arg(format!("--secret_key={}", door.secret)).args(words);
        Background::start(command, Vec::new()).limit(Duration::from_secs(120)).wait()
    };
    let (from, to) = (door.daemon.scratch().join("from"), door.daemon.scratch().join("to"));
    std::fs::create_dir_all(from.join("deep/er")).unwrap();
    std::fs::create_dir_all(&to).unwrap();
    std::fs::write(from.join("a b.txt"), "first").unwrap();
    std::fs::write(from.join("deep/er/ä.bin"), vec![7; 100_000]).unwrap();
    std::fs::write(from.join("large"), vec![9; 20 << 20]).unwrap();
    let (from, to) = (format!("{}/", from.display()), format!("{}/", to.display()));
    s3cmd(&["sync", &from, "s3://photos/backup/"]).ok();
    let listed = s3cmd(&["ls", "--recursive", "s3://photos"]).text();
    assert!(listed.contains("s3://photos/backup/deep/er/ä.bin"), "{listed}");
    assert!(s3cmd(&["ls"]).text().contains("s3://photos"));
    s3cmd(&["sync", "s3://photos/backup/", &to]).ok();
    lab::host(&["diff", "-r", &from, &to]).ok();
    s3cmd(&["del", "--recursive", "--force", "s3://photos/backup/"]).ok();
    assert_eq!(s3cmd(&["ls", "--recursive", "s3://photos"]).text(), "");
}
