//! Buckets as S3 clients see them: boto3 and s3cmd of Debian, over TLS with the server's own certificate.

use std::time::Duration;

use lab::{Background, Client, Daemon, Run};

const SCRIPT: &str = include_str!("s3_ops.py");

/// A daemon that serves a bucket `photos`, with an admin's and a reader's key, and a bucket `music`.
struct Door {
    daemon: Daemon,
    access: String,
    secret: String,
    port: u16,
}

/// What stands behind a word in a text of lines.
fn after(text: &str, word: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix(word));
    line.unwrap_or_else(|| panic!("no {word:?} in {text}")).trim().to_owned()
}

impl Door {
    /// `None`, and a word why, where there is no client.
    fn open(options: &[&str]) -> Option<Door> {
        Door::of("default", options)
    }

    /// The bucket in that pool, which is on btrfs unless it is the usual one.
    fn of(pool: &str, options: &[&str]) -> Option<Door> {
        let python = lab::installed("python3");
        if !python || lab::host(&["python3", "-c", "import boto3"]).status != 0 {
            lab::skip("python3 has no boto3");
            return None;
        }
        let daemon = Daemon::ready()?;
        daemon.lxc(["config", "set", "core.storage_buckets_address", "127.0.0.1:8555"]).ok();
        if pool != "default" {
            daemon.lxc(["storage", "create", pool, "btrfs", "size=512MiB"]).ok();
        }
        let bucket = ["storage", "bucket", "create", pool, "photos"];
        let made = daemon.run(Client::Cli, &[&bucket[..], options].concat()).text();
        daemon.cli(["storage", "bucket", "create", "default", "music"]).ok();
        let reader = ["storage", "bucket", "key", "create", pool, "photos", "reader"];
        let keys = ["--access-key=reader", "--secret-key=reader-secret"];
        daemon.run(Client::Cli, &[&reader[..], &keys].concat()).ok();
        // By a name its words stay short when it fails.
        let script = daemon.scratch().join("s3_ops.py");
        std::fs::write(&script, SCRIPT).unwrap_or_else(|e| panic!("cannot write {script:?}: {e}"));
        let (access, secret) = (after(&made, "Access key:"), after(&made, "Secret key:"));
        Some(Door { daemon, access, secret, port: 8555 })
    }

    fn endpoint(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    fn certificate(&self) -> String {
        self.daemon.folder().join("server.crt").display().to_string()
    }

    /// A function of the script, in the daemon's network.
    fn begin(&self, function: &str, stdin: &str) -> Background {
        let mut command = self.daemon.netns().command("python3");
        command.args(["-W", "ignore"]).arg(self.daemon.scratch().join("s3_ops.py")).arg(function);
        command.env("ENDPOINT", self.endpoint()).env("BUCKET", "photos").env("OTHER", "music");
        command.env("CERTIFICATE", self.certificate());
        command.env("ACCESS", &self.access).env("SECRET", &self.secret).env("WRONG", "wrong-key");
        command.env("READER", "reader").env("READER_SECRET", "reader-secret");
        Background::start(command, stdin.as_bytes().to_vec())
    }

    fn run(&self, function: &str) -> Run {
        self.begin(function, "").limit(Duration::from_secs(120)).wait().ok()
    }

    /// Bytes of memory of the daemon's own.
    fn memory(&self) -> u64 {
        let pid = self.daemon.pid().unwrap_or_default();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kib = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
        kib.unwrap_or_default() << 10
    }
}

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
fn what_was_acknowledged_is_there_and_whole_after_a_kill() {
    let Some(mut door) = Door::open(&[]) else { return };
    let load = door.begin("load", "");
    std::thread::sleep(Duration::from_secs(5));
    door.daemon.kill9();
    let acknowledged = load.wait().ok().text().replace("done", "");
    assert!(acknowledged.lines().count() > 20, "{acknowledged}");
    door.daemon.launch();
    let check = door.begin("check", acknowledged.trim());
    println!("{}", check.limit(Duration::from_secs(120)).wait().ok());
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
