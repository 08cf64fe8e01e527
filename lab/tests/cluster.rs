//! Several machines as one cloud: made, used from every member, and torn apart.

use lab::{
    Daemon,
    cluster::{Cluster, address, name},
    until,
};
use serde_json::Value;

/// Name, roles and status of each member, as one member tells.
fn members(daemon: &Daemon) -> Vec<(String, String, String)> {
    let all = daemon.get("/1.0/cluster/members?recursion=1");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let roles = |one: &Value| one["roles"].as_array().map(|roles| text(&roles[0]));
    all.as_array()
        .into_iter()
        .flatten()
        .map(|one| {
            (text(&one["server_name"]), roles(one).unwrap_or_default(), text(&one["status"]))
        })
        .collect()
}

fn votes(daemon: &Daemon) -> usize {
    members(daemon).iter().filter(|(_, role, _)| role != "database-standby").count()
}

#[test]
fn three_machines_become_one_cloud() {
    let Some(cluster) = Cluster::of(3) else { return };
    let [first, second, third] = &cluster.members[..] else { panic!("three members") };
    // Each sees all, and the three have votes a moment later.
    for daemon in [first, second, third] {
        until("three votes", || (votes(daemon) == 3).then_some(()));
        let found = members(daemon);
        let names: Vec<_> = found.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, ["m1", "m2", "m3"]);
        assert!(found.iter().all(|(.., status)| status == "Online"), "{found:?}");
        assert_eq!(daemon.get("/1.0")["environment"]["server_clustered"], true);
    }
    let listed = third.lxc(["cluster", "list", "--format", "csv"]).text();
    assert!(listed.contains("https://10.9.0.1:8443"), "{listed}");
    assert!(third.lxc(["cluster", "show", "m1"]).text().contains("server_name: m1"));

    // What one is told all know.
    second.lxc(["project", "create", "kids"]).ok();
    until("the project on the third", || {
        third.lxc(["project", "list", "--format", "csv"]).text().contains("kids").then_some(())
    });
    third.lxc(["project", "delete", "kids"]).ok();

    // A pool is made on one and there on all.
    first.lxc(["storage", "create", "default", "dir"]).ok();
    for daemon in [first, second, third] {
        assert!(daemon.folder().join("storage-pools/default").is_dir());
    }
    let pool = second.get("/1.0/storage-pools/default");
    assert_eq!(pool["locations"], serde_json::json!(["m1", "m2", "m3"]));
    second.lxc(["storage", "delete", "default"]).ok();
    for daemon in [first, second, third] {
        assert_eq!(daemon.get("/1.0/storage-pools"), serde_json::json!([]));
    }
}

#[test]
fn instances_are_used_from_every_member() {
    let Some(cluster) = Cluster::of(3) else { return };
    let [first, second, third] = &cluster.members[..] else { panic!("three members") };
    first.lxc(["storage", "create", "default", "dir"]).ok();
    let root = ["profile", "device", "add", "default", "root", "disk", "path=/", "pool=default"];
    second.lxc(root).ok();
    first.cli(["image", "build", "busybox", "--alias", "busybox"]).ok();
    // Where it is told; the image comes from the member that has it.
    first.lxc(["launch", "busybox", "web", "--target", "m2"]).ok();
    for daemon in [first, second, third] {
        let web = daemon.get("/1.0/instances/web");
        assert_eq!((&web["location"], &web["status"]), (&"m2".into(), &"Running".into()));
        let said = daemon.lxc(["exec", "web", "--", "hostname"]);
        assert_eq!(said.text().trim(), "web");
        let all = daemon.get("/1.0/instances?recursion=1");
        assert_eq!(all[0]["status"], "Running");
    }
    third.lxc(["file", "push", "/etc/hostname", "web/etc/note"]).ok();
    assert_eq!(first.lxc(["exec", "web", "--", "cat", "/etc/note"]).status, 0);
    // Without a target they spread.
    for new in ["a", "b"] {
        third.cli(["launch", "busybox", new]).ok();
    }
    let at = |name: &str| first.get(&format!("/1.0/instances/{name}"))["location"].clone();
    let mut places = [at("web"), at("a"), at("b")].map(|one| one.as_str().unwrap_or("").to_owned());
    places.sort();
    assert_eq!(places, ["m1", "m2", "m3"]);
    // Who takes none gets none.
    third
        .cli(["cluster", "set", "m1", "scheduler.instance=often"])
        .fails_with("scheduler.instance");
    third.cli(["cluster", "set", "m1", "scheduler.instance=manual"]).ok();
    first.cli(["launch", "busybox", "c"]).ok();
    assert_ne!(at("c"), "m1");
    first.cli(["delete", "c", "--force"]).ok();
    let bad = first.lxc(["launch", "busybox", "x", "--target", "nowhere"]);
    bad.fails_with("\"nowhere\" not found");
    for one in ["web", "a", "b"] {
        second.lxc(["delete", "--force", one]).ok();
    }
    // Its files go from the members that fetched it, too.
    second.lxc(["image", "delete", "busybox"]).ok();
    for daemon in [first, second, third] {
        let images = daemon.folder().join("images");
        let empty = || std::fs::read_dir(&images).is_ok_and(|mut files| files.next().is_none());
        until("no file of the image", || empty().then_some(()));
    }
}

#[test]
fn a_member_that_is_gone_stops_nobody() {
    let Some(mut cluster) = Cluster::of(3) else { return };
    for member in &cluster.members {
        until("three votes", || (votes(member) == 3).then_some(()));
    }
    let leader = |cluster: &Cluster, ask: usize| {
        let found = members(&cluster.members[ask]);
        found.iter().position(|(_, role, _)| role == "database-leader")
    };
    let gone = until("a leader", || leader(&cluster, 0));
    let rest: Vec<usize> = (0..3).filter(|member| *member != gone).collect();
    cluster.members[gone].kill9();
    for (turn, member) in rest.iter().enumerate() {
        let project = format!("p{turn}");
        until("a change without it", || {
            let made = cluster.members[*member].lxc(["project", "create", &project]);
            (made.status == 0).then_some(())
        });
    }
    let shown = members(&cluster.members[rest[0]]);
    let (_, _, status) = &shown[gone];
    assert_eq!(status, "Offline");
    // It comes back and has what it missed.
    cluster.members[gone].launch();
    until("what it missed", || {
        let all = cluster.members[gone].lxc(["project", "list", "--format", "csv"]).text();
        (all.contains("p0") && all.contains("p1")).then_some(())
    });
    // Alone it answers, and refuses changes with a reason.
    for member in &rest {
        cluster.unplug(*member);
    }
    let alone = &cluster.members[gone];
    assert_eq!(alone.lxc(["project", "list"]).status, 0);
    let refused = alone.lxc(["project", "create", "never"]);
    assert_ne!(refused.status, 0);
    for member in &rest {
        cluster.plug(*member);
    }
    until("changes again", || {
        let made = cluster.members[gone].lxc(["project", "create", "again"]);
        (made.status == 0).then_some(())
    });
    for project in ["p0", "p1", "again"] {
        cluster.members[0].lxc(["project", "delete", project]).ok();
    }
}

#[test]
fn a_member_leaves_and_comes_again() {
    let Some(cluster) = Cluster::of(3) else { return };
    let [first, _, third] = &cluster.members[..] else { panic!("three members") };
    until("three votes", || (votes(first) == 3).then_some(()));
    first.cli(["cluster", "remove", "m3"]).ok();
    until("two members", || (members(first).len() == 2).then_some(()));
    until("one vote", || (votes(first) == 1).then_some(()));
    until("it is alone", || {
        let asked = third.try_request("GET", "/1.0/cluster", &[], b"").ok()?;
        (asked.status == 200 && asked.body["metadata"]["enabled"] == false).then_some(())
    });
    cluster.join(2);
    until("three votes", || (votes(first) == 3).then_some(()));
    // A token is for one, once.
    let token = first.cli(["--quiet", "cluster", "add", &name(7)]).text();
    let again = third.cli(["join", token.trim(), "--address", &address(2)]);
    again.fails_with("a member of a cluster already");
}

#[test]
fn what_cannot_join_says_why() {
    let Some(cluster) = Cluster::alone(2) else { return };
    let [first, second] = &cluster.members[..] else { panic!("two") };
    first.cli(["cluster", "list"]).fails_with("in no cluster");
    first.lxc(["cluster", "list"]).fails_with("isn't part of a cluster");
    first.cli(["cluster", "enable", "m1", "--address", &address(0)]).ok();
    second.cli(["join", "nonsense"]).fails_with("invalid token");
    let token = first.cli(["--quiet", "cluster", "add", "m2"]).text();
    second.lxc(["storage", "create", "mine", "dir"]).ok();
    let join = ["join", token.trim(), "--address", &address(1)];
    second
        .cli(join)
        .fails_with("only an empty server can join a cluster; this one has storage pool mine");
    second.lxc(["storage", "delete", "mine"]).ok();
    second
        .cli(["join", token.trim(), "--address", "127.0.0.1:8443"])
        .fails_with("no other machine");
    // The cable is pulled: it stays as it was, and can try again with the same token.
    cluster.unplug(0);
    assert_ne!(second.cli(join).status, 0);
    cluster.plug(0);
    assert_eq!(second.get("/1.0/cluster")["enabled"], false);
    second.cli(join).ok();
    assert_eq!(members(first).len(), 2);
}
