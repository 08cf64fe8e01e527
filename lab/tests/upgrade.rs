//! A cluster that is upgraded one member after another. The next version is this one, which pretends to have another
//! step of the database's schema (`microcloud::schema`); `cargo xtask test --upgrade REVISION` begins with a real one.

use std::time::Duration;

use lab::{Daemon, cluster::Cluster, until, within};
use serde_json::Value;

/// A member that is silent for so long is off, as `cluster.offline_threshold` says below.
const OFF: Duration = Duration::from_secs(10);

/// Starts a member as one of another version.
fn begin(daemon: &mut Daemon, version: &str) {
    if daemon.pid().is_some() {
        daemon.stop();
    }
    daemon.launch_aside(&[("MICROCLOUD_NEXT_VERSION", version.to_owned())]);
}

/// Status and message of a member, as another sees it.
fn seen(daemon: &Daemon, name: &str) -> (String, String) {
    let row = daemon.get(&format!("/1.0/cluster/members/{name}"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&row["status"]), text(&row["message"]))
}

fn is_seen(daemon: &Daemon, name: &str, status: &str, words: &str) {
    until(&format!("{name} is {status}: {words}"), || {
        let (is, said) = seen(daemon, name);
        (is == status && said.contains(words)).then_some(())
    });
}

/// Writes through a member, and waits until another has it.
fn note(from: &Daemon, to: &Daemon, note: &str) {
    from.lxc(["config", "set", "web", &format!("user.note={note}")]).ok();
    until("the note there", || {
        (to.get("/1.0/instances/web")["config"]["user.note"] == note).then_some(())
    });
}

fn all_fit(cluster: &Cluster) {
    for daemon in &cluster.members {
        for name in ["m1", "m2", "m3"] {
            until("all of one version", || {
                (seen(daemon, name) == ("Online".into(), "Fully operational".into())).then_some(())
            });
        }
    }
}

#[test]
fn members_of_two_versions_are_one_cluster() {
    let Some(mut cluster) = Cluster::of(3) else { return };
    let first = &cluster.members[0];
    first.lxc(["config", "set", &format!("cluster.offline_threshold={}", OFF.as_secs())]).ok();
    first.lxc(["storage", "create", "default", "dir"]).ok();
    let root = ["profile", "device", "add", "default", "root", "disk", "path=/", "pool=default"];
    first.lxc(root).ok();
    first.cli(["image", "build", "busybox", "--alias", "busybox"]).ok();
    for (name, at) in [("web", "m1"), ("db", "m3")] {
        first.lxc(["launch", "busybox", name, "--target", at]).ok();
    }
    until("three votes", || {
        let all = first.get("/1.0/cluster/members?recursion=1");
        let votes = all.as_array()?.iter().filter(|one| one["database"] == true);
        (votes.count() == 3).then_some(())
    });
    let run = |cluster: &Cluster| [0, 2].map(|n| lab::running(&cluster.members[n].folder()));
    let pids = |daemon: &Daemon| {
        let pid = |name| daemon.get(&format!("/1.0/instances/{name}/state"))["pid"].clone();
        ["web", "db"].map(pid)
    };
    let (before, began) = (run(&cluster), pids(first));

    // What adds is there at once, while one member is off and one is older.
    cluster.members[2].stop();
    begin(&mut cluster.members[0], "adds");
    let [newer, older, _] = &cluster.members[..] else { return };
    newer.lxc(["list"]).ok();
    is_seen(older, "m1", "Online", "Fully operational, of version");
    let told = older.cli(["status"]).text();
    assert!(told.contains("of version"), "{told}");
    note(older, newer, "older");
    note(newer, older, "newer");
    // An older one may begin after that step, too.
    cluster.members[1].restart();
    cluster.members[2].launch();
    note(&cluster.members[2], &cluster.members[0], "was off");
    for member in 1..3 {
        begin(&mut cluster.members[member], "adds");
    }
    all_fit(&cluster);

    // What breaks waits for those that are on, but not for one that is off.
    cluster.members[2].stop();
    begin(&mut cluster.members[0], "adds,breaks");
    let [waits, older, _] = &cluster.members[..] else { return };
    let words = waits.lxc(["list"]).fails_with("is newer than its cluster and waits for");
    assert!(words.contains("m2 (version") && words.contains("m3 (does not answer)"), "{words}");
    is_seen(older, "m1", "Blocked", "waits for");
    older.lxc(["profile", "create", "meanwhile"]).ok();
    older.lxc(["exec", "web", "--", "true"]).fails_with("waits for");
    begin(&mut cluster.members[1], "adds,breaks");
    let [first, second, _] = &cluster.members[..] else { return };
    within(OFF + Duration::from_secs(20), "the step is made", || {
        (first.lxc(["list"]).status == 0 && second.lxc(["list"]).status == 0).then_some(())
    });
    first.lxc(["profile", "show", "meanwhile"]).ok();

    // Who comes back too old says so, and votes.
    begin(&mut cluster.members[2], "adds");
    let [first, second, late] = &cluster.members[..] else { return };
    late.lxc(["list"]).fails_with("is older than its cluster");
    is_seen(first, "m3", "Blocked", "Upgrade it");
    first.lxc(["exec", "db", "--", "true"]).fails_with("is older than its cluster");
    first.lxc(["list"]).ok();
    note(second, first, "one is blocked");
    assert_eq!(run(&cluster), before);
    begin(&mut cluster.members[2], "adds,breaks");
    all_fit(&cluster);
    let first = &cluster.members[0];
    assert_eq!(pids(first), began, "the same processes");
    for name in ["web", "db"] {
        first.lxc(["exec", name, "--", "true"]).ok();
        first.lxc(["delete", "--force", name]).ok();
    }
}
