//! Two machines and a small third one: it has the database and votes, and nothing else.

use std::time::Duration;

use lab::{Daemon, cluster::Cluster, until, within};
use serde_json::{Value, json};

fn roles(daemon: &Daemon, member: &str) -> Value {
    daemon.get(&format!("/1.0/cluster/members/{member}"))["roles"].clone()
}

/// How many files of images a member has.
fn images(daemon: &Daemon) -> usize {
    std::fs::read_dir(daemon.folder().join("images")).map_or(0, Iterator::count)
}

#[test]
fn two_members_and_a_witness_survive_a_death() {
    let Some(mut cluster) = Cluster::of(3) else { return };
    let [first, second, third] = &cluster.members[..] else { panic!("three members") };
    first.lxc(["storage", "create", "default", "dir"]).ok();
    let root = ["profile", "device", "add", "default", "root", "disk", "path=/", "pool=default"];
    first.lxc(root).ok();
    until("it votes", || (roles(first, "m3") == json!(["database"])).then_some(()));
    first.lxc(["cluster", "role", "remove", "m3", "database"]).fails_with("by the cluster itself");
    second.lxc(["cluster", "role", "add", "m3", "witness"]).ok();
    second.cli(["cluster", "role", "add", "m3", "witness"]).fails_with("has that role already");
    assert_eq!(roles(first, "m3"), json!(["database", "witness"]));
    assert!(third.lxc(["cluster", "list"]).text().to_lowercase().contains("witness"));
    // It has no pools any more, and gets none.
    within(Duration::from_secs(10), "its part of the pool is gone", || {
        let at = first.get("/1.0/storage-pools/default")["locations"].clone();
        (at == json!(["m1", "m2"])).then_some(())
    });
    assert!(!third.folder().join("storage-pools/default").exists());
    first.lxc(["storage", "create", "more", "dir"]).ok();
    assert_eq!(first.get("/1.0/storage-pools/more")["locations"], json!(["m1", "m2"]));
    first.lxc(["storage", "delete", "more"]).ok();

    // Nor instances or images: those are on the two others.
    first.cli(["image", "build", "busybox", "--alias", "busybox"]).ok();
    for name in ["a", "b", "c"] {
        third.lxc(["init", "busybox", name]).ok();
        assert_ne!(first.get(&format!("/1.0/instances/{name}"))["location"], "m3");
    }
    // Two of one kind are apart, wherever there are more instances; by themselves or by a profile.
    first.lxc(["init", "busybox", "d", "-c", "cluster.spread=dns", "--target", "m2"]).ok();
    first.lxc(["init", "busybox", "e", "--target", "m1"]).ok();
    first.lxc(["profile", "create", "dns"]).ok();
    first.lxc(["profile", "set", "dns", "cluster.spread=dns"]).ok();
    first.lxc(["init", "busybox", "f", "--profile", "default", "--profile", "dns"]).ok();
    assert_eq!(first.get("/1.0/instances/f")["location"], "m1");
    third.lxc(["init", "busybox", "x", "--target", "m3"]).fails_with("\"m3\" is a witness");
    within(Duration::from_secs(20), "the image is on two members", || {
        (images(first) > 0 && images(second) > 0).then_some(())
    });
    assert_eq!(images(third), 0);
    first.lxc(["cluster", "role", "add", "m1", "witness"]).fails_with("in use by instance");

    // One of the two dies: the other goes on, as the witness votes for it.
    cluster.members[1].kill9();
    let first = &cluster.members[0];
    within(Duration::from_secs(10), "a change without it", || {
        (first.lxc(["project", "create", "p"]).status == 0).then_some(())
    });
    first.lxc(["project", "delete", "p"]).ok();
    cluster.members[1].launch();
    let [first, _, third] = &cluster.members[..] else { panic!("three members") };
    within(Duration::from_secs(20), "all is deleted", || {
        for name in ["a", "b", "c", "d", "e", "f"] {
            drop(first.lxc(["delete", name]));
        }
        (first.lxc(["list", "--format", "csv"]).text().trim().is_empty()).then_some(())
    });
    first.lxc(["image", "delete", "busybox"]).ok();
    first.lxc(["profile", "delete", "dns"]).ok();

    // It becomes a member like the others.
    first.cli(["cluster", "role", "remove", "m3", "witness"]).ok();
    within(Duration::from_secs(10), "it has the pool", || {
        let made = third.folder().join("storage-pools/default").exists();
        made.then_some(())
    });
    first.lxc(["config", "set", "cluster.max_standby", "9"]).fails_with("cluster.max_standby");
    first.lxc(["config", "set", "cluster.offline_threshold", "1"]).fails_with("offline_threshold");
    first.lxc(["config", "set", "cluster.images_minimal_replica=-1"]).ok();
}
