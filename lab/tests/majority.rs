//! What a member of a cluster still does when too few of the others can be reached; and how the last one goes on.

use std::time::{Duration, Instant};

use lab::{Daemon, cluster::Cluster, until, within};
use serde_json::Value;

/// Three members with a vote each, a pool, and the image `busybox`.
fn three() -> Option<Cluster> {
    let cluster = Cluster::of(3)?;
    let first = &cluster.members[0];
    until("three votes", || (votes(first) == 3).then_some(()));
    first.lxc(["storage", "create", "default", "dir"]).ok();
    let root = ["profile", "device", "add", "default", "root", "disk", "path=/", "pool=default"];
    first.lxc(root).ok();
    first.cli(["image", "build", "busybox", "--alias", "busybox"]).ok();
    Some(cluster)
}

fn votes(daemon: &Daemon) -> usize {
    let all = daemon.get("/1.0/cluster/members?recursion=1");
    let all = all.as_array().into_iter().flatten();
    all.filter(|one| one["database"] == true).count()
}

fn status(daemon: &Daemon, name: &str) -> Value {
    daemon.get(&format!("/1.0/instances/{name}"))["status"].clone()
}

/// What the database has of an instance, as a member sees it.
fn power(daemon: &Daemon, name: &str) -> Value {
    daemon.get(&format!("/1.0/instances/{name}"))["config"]["volatile.last_state.power"].clone()
}

fn hostname(daemon: &Daemon, name: &str) -> String {
    daemon.lxc(["exec", name, "--", "hostname"]).text().trim().to_owned()
}

/// What does not wait for the others, as the database does for ten seconds.
fn quick<R>(what: &str, work: impl FnOnce() -> R) {
    let began = Instant::now();
    drop(work());
    let took = began.elapsed();
    assert!(took < Duration::from_secs(8), "{what} took {took:?}");
}

#[test]
fn a_member_alone_starts_stops_and_uses_what_it_has() {
    let Some(mut cluster) = three() else { return };
    let first = &cluster.members[0];
    for name in ["web", "db"] {
        first.lxc(["launch", "busybox", name, "--target", "m1"]).ok();
    }
    first.lxc(["launch", "busybox", "brief", "--ephemeral", "--target", "m1"]).ok();
    // The first one leads, and does not notice by itself that nobody follows any more.
    cluster.unplug(0);
    std::thread::sleep(Duration::from_secs(2));
    let alone = &cluster.members[0];
    quick("stop", || alone.lxc(["stop", "--force", "web"]).ok());
    assert_eq!(status(alone, "web"), "Stopped");
    quick("start", || alone.lxc(["start", "web"]).ok());
    assert_eq!(hostname(alone, "web"), "web");
    quick("restart", || alone.cli(["restart", "--force", "web"]).ok());
    assert_eq!(hostname(alone, "web"), "web");
    quick("stop", || alone.lxc(["stop", "--force", "db"]).ok());
    quick("stop", || alone.lxc(["stop", "--force", "brief"]).ok());
    alone.lxc(["init", "busybox", "never"]).fails_with("no majority of the members");

    // It is known over the end of the daemon; what ran then runs on, what was stopped stays so.
    cluster.members[0].kill9();
    cluster.members[0].launch();
    let alone = &cluster.members[0];
    assert_eq!((status(alone, "web"), status(alone, "db")), ("Running".into(), "Stopped".into()));
    assert_eq!(hostname(alone, "web"), "web");
    alone.lxc(["start", "db"]).ok();
    alone.lxc(["stop", "--force", "web"]).ok();
    // Its machine goes off, and is on again before the others are there.
    cluster.members[0].power_down();
    cluster.members[0].launch();
    let alone = &cluster.members[0];
    within(Duration::from_secs(20), "what ran runs", || {
        (status(alone, "db") == "Running").then_some(())
    });
    assert_eq!(status(alone, "web"), "Stopped");

    // When the others are there again, their databases have it, and what waited is done.
    cluster.plug(0);
    let again = || {
        let gone = cluster.members[0].lxc(["info", "brief"]).status != 0;
        let noted = !cluster.members[0].folder().join("powers.json").exists();
        (gone && noted).then_some(())
    };
    within(Duration::from_secs(20), "it is in the database", again);
    let others = &cluster.members[1];
    assert_eq!((power(others, "web"), power(others, "db")), ("STOPPED".into(), "RUNNING".into()));
    for name in ["web", "db"] {
        others.lxc(["delete", "--force", name]).ok();
    }
    others.lxc(["image", "delete", "busybox"]).ok();
}

#[test]
fn the_last_one_goes_on_alone() {
    let Some(mut cluster) = three() else { return };
    let last = &cluster.members[2];
    last.lxc(["launch", "busybox", "web", "--target", "m3"]).ok();
    last.lxc(["init", "busybox", "lost", "--target", "m2"]).ok();
    last.cli(["cluster", "recover"]).fails_with("say --yes");
    last.cli(["cluster", "recover", "--yes"]).fails_with("a majority of the members is there");
    cluster.members[0].kill9();
    cluster.unplug(1);
    // One that can be reached is not given up by mistake.
    cluster.members[1].kill9();
    cluster.plug(1);
    let last = &cluster.members[2];
    last.cli(["cluster", "recover", "--yes"]).ok();
    assert_eq!(hostname(last, "web"), "web");
    last.lxc(["project", "create", "after"]).ok();
    assert_eq!(votes(last), 1);
    let listed = last.lxc(["cluster", "list", "--format", "csv"]).text();
    assert!(listed.contains("m1") && listed.contains("m2"), "{listed}");

    // Those that come back after all are not believed, and do not meet it.
    for member in [0, 1] {
        cluster.members[member].launch();
    }
    let [first, second, last] = &cluster.members[..] else { panic!("three members") };
    within(Duration::from_secs(20), "the two have a cluster of their own", || {
        (first.lxc(["project", "create", "other"]).status == 0).then_some(())
    });
    assert!(!second.lxc(["project", "list", "--format", "csv"]).text().contains("after"));
    assert!(!last.lxc(["project", "list", "--format", "csv"]).text().contains("other"));
    for gone in ["m1", "m2"] {
        last.cli(["cluster", "remove", gone, "--force"]).ok();
    }
    assert_eq!(last.lxc(["list", "--format", "csv", "-c", "n"]).text().trim(), "web");
    first.lxc(["project", "delete", "other"]).ok();
    first.cli(["cluster", "remove", "m3", "--force"]).ok();
    last.lxc(["project", "delete", "after"]).ok();
    last.lxc(["delete", "--force", "web"]).ok();

    // Others join as ever.
    let new = cluster.add();
    let Some(new) = new else { return };
    let token = cluster.members[2].cli(["--quiet", "cluster", "add", "m4"]).text();
    let at = lab::cluster::address(new);
    cluster.members[new].cli(["join", token.trim(), "--address", &at]).ok();
    let listed = cluster.members[new].lxc(["cluster", "list", "--format", "csv"]).text();
    assert!(listed.contains("m3") && listed.contains("m4"), "{listed}");
}
