//! Pools that members share: what moves without its disk, and what a member that is off had runs elsewhere, never twice.

use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use lab::{Daemon, cluster::Cluster, until, within};
use serde_json::Value;

/// The least that `cluster.offline_threshold` may be, in seconds.
const THRESHOLD: u64 = 10;

/// Three members with a pool of Ceph, the image `busybox` and a pool that each has for itself.
fn three(source: &str) -> Option<Cluster> {
    let cluster = Cluster::with_ceph(3)?;
    let first = &cluster.members[0];
    until("three votes", || (votes(first) == 3).then_some(()));
    first.lxc(["storage", "create", "default", "dir"]).ok();
    let source = format!("source={source}");
    first.lxc(["storage", "create", "shared", "ceph", &source, "volume.size=256MiB"]).ok();
    let root = ["profile", "device", "add", "default", "root", "disk", "path=/", "pool=shared"];
    first.lxc(root).ok();
    first.cli(["image", "build", "busybox", "--alias", "busybox"]).ok();
    for key in ["cluster.offline_threshold=10", "cluster.healing_threshold=10"] {
        first.lxc(["config", "set", key]).ok();
    }
    Some(cluster)
}

fn votes(daemon: &Daemon) -> usize {
    let all = daemon.get("/1.0/cluster/members?recursion=1");
    let all = all.as_array().into_iter().flatten();
    all.filter(|one| one["database"] == true).count()
}

fn row(daemon: &Daemon, name: &str) -> Value {
    // Whoever has it may be off.
    let all = daemon.get("/1.0/instances?recursion=1");
    let mut all = all.as_array().into_iter().flatten();
    all.find(|row| row["name"] == name).cloned().unwrap_or_default()
}

fn is_at(daemon: &Daemon, name: &str, member: &str, status: &str) -> Option<()> {
    let row = row(daemon, name);
    (row["location"] == member && row["status"] == status).then_some(())
}

fn read(daemon: &Daemon, name: &str, file: &str) -> String {
    daemon.lxc(["exec", name, "--", "cat", file]).text().trim().to_owned()
}

fn write(daemon: &Daemon, name: &str, file: &str, text: &str) {
    let script = format!("echo {text} | dd of={file} conv=fsync");
    daemon.lxc(["exec", name, "--", "sh", "-c", &script]).ok();
}

/// Whether an instance runs and has that in its note: one that just ended may be told as running for a moment.
fn reads(daemon: &Daemon, name: &str, text: &str) -> Option<()> {
    let read = daemon.lxc(["exec", name, "--", "cat", "/root/note"]);
    (read.status == 0 && read.text().trim() == text).then_some(())
}

/// Whether a daemon's instance runs, whatever the daemon knows: its monitor is there until it ended.
fn runs(daemon: &Daemon, name: &str) -> bool {
    let folders = fs::read_dir(daemon.folder().join("run")).into_iter().flatten().flatten();
    let is_its = |path: &PathBuf| path.to_string_lossy().ends_with(name);
    let mut folders = folders.map(|entry| entry.path()).filter(is_its);
    folders.any(|folder| folder.join("monitor.sock").exists())
}

#[test]
fn what_is_shared_moves_without_its_disk() {
    let Some(cluster) = three("moves") else { return };
    let first = &cluster.members[0];
    first.lxc(["launch", "busybox", "web", "--target", "m1"]).ok();
    write(first, "web", "/root/note", "kept");
    first.lxc(["snapshot", "web", "before"]).ok();
    first.cli(["backup", "create", "web", "full"]);
    first.lxc(["move", "web", "--target", "m2"]).fails_with("stop it first");
    first.lxc(["stop", "--force", "web"]).ok();
    first.lxc(["move", "web", "--target", "m2"]).ok();
    assert!(is_at(first, "web", "m2", "Stopped").is_some(), "{}", row(first, "web"));
    first.lxc(["start", "web"]).ok();
    assert_eq!(read(first, "web", "/root/note"), "kept");
    first.lxc(["restore", "web", "before"]).ok();
    assert_eq!(read(first, "web", "/root/note"), "kept");

    // A volume goes to the member that uses it, and is at one at a time.
    first.lxc(["storage", "volume", "create", "shared", "data", "size=64MiB"]).ok();
    first.lxc(["storage", "volume", "attach", "shared", "data", "web", "/data"]).ok();
    write(first, "web", "/data/note", "of web");
    first.lxc(["launch", "busybox", "other", "--target", "m3"]).ok();
    let attach = ["storage", "volume", "attach", "shared", "data", "other", "/data"];
    first.lxc(attach).fails_with("which runs on member m2");
    first.lxc(["stop", "--force", "web"]).ok();
    first.lxc(attach).ok();
    assert_eq!(read(first, "other", "/data/note"), "of web");

    // A member that is emptied gives them away, and gets them back. Nothing in it ends when it is asked to.
    first.lxc(["config", "set", "other", "boot.host_shutdown_timeout=1"]).ok();
    first.lxc(["cluster", "evacuate", "m3", "--force"]).ok();
    assert_ne!(row(first, "other")["location"], "m3");
    assert_eq!(row(first, "other")["status"], "Running");
    assert_eq!(read(first, "other", "/data/note"), "of web");
    first.lxc(["cluster", "restore", "m3", "--force"]).ok();
    assert!(is_at(first, "other", "m3", "Running").is_some(), "{}", row(first, "other"));
    assert_eq!(read(first, "other", "/data/note"), "of web");
}

#[test]
fn what_a_member_had_that_is_off_runs_elsewhere_and_never_twice() {
    let Some(cluster) = three("heals") else { return };
    let first = &cluster.members[0];
    first.lxc(["launch", "busybox", "web", "--target", "m2"]).ok();
    first.lxc(["init", "busybox", "idle", "--target", "m2"]).ok();
    first.lxc(["launch", "busybox", "local", "--storage", "default", "--target", "m2"]).ok();
    write(first, "web", "/root/note", "kept");
    assert!(runs(&cluster.members[1], "web") && runs(&cluster.members[1], "local"));
    // Its lease is noted.
    thread::sleep(Duration::from_secs(4));

    // Cut off from the others, but not from the disks.
    cluster.unplug(1);
    let pulled = Instant::now();
    let (over, twice) = (AtomicBool::new(false), AtomicBool::new(false));
    let [first, second, third] = &cluster.members[..] else { panic!("three members") };
    let moved = thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let elsewhere = runs(first, "web") || runs(third, "web");
                if runs(second, "web") && elsewhere {
                    twice.store(true, Ordering::Relaxed);
                }
                thread::sleep(Duration::from_millis(20));
            }
        });
        let there =
            || is_at(first, "web", "m1", "Running").or(is_at(first, "web", "m3", "Running"));
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            within(Duration::from_secs(60), "web elsewhere", there);
        }));
        over.store(true, Ordering::Relaxed);
        found.map(|()| pulled.elapsed())
    });
    let moved = moved.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    eprintln!("elsewhere after {:.1} s, {THRESHOLD} of them to wait", moved.as_secs_f64());
    assert!(!twice.load(Ordering::Relaxed), "it ran twice");
    assert!(!runs(second, "web"), "it runs where the cable was pulled");
    assert_eq!(read(first, "web", "/root/note"), "kept");
    write(first, "web", "/root/note", "healed");
    assert_ne!(row(first, "idle")["location"], "m2");
    assert_eq!(row(first, "idle")["status"], "Stopped");
    // What only its own disk has runs on there.
    assert_eq!(row(first, "local")["location"], "m2");
    assert!(runs(second, "local"));

    // It comes back, and gets back what it had when it is told to.
    cluster.plug(1);
    let first = &cluster.members[0];
    until("m2 back", || {
        let all = first.get("/1.0/cluster/members/m2");
        (all["status"] == "Online").then_some(())
    });
    assert_eq!(read(first, "web", "/root/note"), "healed");
    within(Duration::from_secs(40), "m2 starts what is shared", || {
        first
            .lxc(["launch", "busybox", "new", "--target", "m2"])
            .status
            .eq(&0)
            .then_some(())
            .or_else(|| {
                first.lxc(["delete", "--force", "new"]);
                None
            })
    });
    first.lxc(["cluster", "restore", "m2", "--force"]).ok();
    assert!(is_at(first, "web", "m2", "Running").is_some(), "{}", row(first, "web"));
    assert_eq!(read(first, "web", "/root/note"), "healed");

    // A cable that is out for less than that, but longer than a lease: it ends, and starts again where it was.
    cluster.unplug(1);
    let second = &cluster.members[1];
    within(Duration::from_secs(12), "the end of the lease", || {
        (!runs(second, "web")).then_some(())
    });
    cluster.plug(1);
    let first = &cluster.members[0];
    within(Duration::from_secs(40), "web again", || reads(first, "web", "healed"));
    assert_eq!(row(first, "web")["location"], "m2");

    // A daemon that hangs puts no deadline off.
    let second = &cluster.members[1];
    second.hold();
    within(Duration::from_secs(12), "the deadline", || (!runs(second, "web")).then_some(()));
    assert!(runs(second, "local"), "it needs no lease");
    second.go_on();
    let first = &cluster.members[0];
    within(Duration::from_secs(60), "web somewhere", || reads(first, "web", "healed"));
    first.lxc(["config", "unset", "cluster.healing_threshold"]).ok();
}
