//! Instances that go from one member of a cluster to another, whatever breaks off meanwhile; members that are emptied.

use std::time::Duration;

use lab::{Client, Daemon, cluster::Cluster, until, within};
use rustix::process::Signal;
use serde_json::Value;

/// Three members with a pool and the image `busybox`.
fn three() -> Option<Cluster> {
    let cluster = Cluster::of(3)?;
    let first = &cluster.members[0];
    until("three votes", || {
        let all = first.get("/1.0/cluster/members?recursion=1");
        let all = all.as_array()?.iter();
        let votes = all.filter(|one| one["roles"][0] != "database-standby").count();
        (votes == 3).then_some(())
    });
    first.lxc(["storage", "create", "default", "dir"]).ok();
    let root = ["profile", "device", "add", "default", "root", "disk", "path=/", "pool=default"];
    first.lxc(root).ok();
    first.cli(["image", "build", "busybox", "--alias", "busybox"]).ok();
    Some(cluster)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Where an instance is, and whether it runs, as that member tells.
fn place(daemon: &Daemon, name: &str) -> [String; 2] {
    let found = daemon.get(&format!("/1.0/instances/{name}"));
    [text(&found["location"]), text(&found["status"])]
}

/// What a member has of instances in its pool, its cache and among its backups.
fn has(daemon: &Daemon) -> Vec<String> {
    let mut found = Vec::new();
    let pool = "storage-pools/default";
    let machines = format!("{pool}/virtual-machines");
    let containers = format!("{pool}/containers");
    for folder in ["cache", "machines", "backups/instances", &containers, &machines] {
        let Ok(entries) = std::fs::read_dir(daemon.folder().join(folder)) else { continue };
        found.extend(entries.flatten().map(|one| one.path().display().to_string()));
    }
    found.retain(|path| !path.contains("image"));
    found
}

fn has_nothing(daemon: &Daemon) {
    within(Duration::from_secs(20), "nothing is left", || has(daemon).is_empty().then_some(()));
}

fn sh(daemon: &Daemon, name: &str, line: &str) -> String {
    daemon.lxc(["exec", name, "--", "sh", "-c", line]).text()
}

#[test]
fn an_instance_goes_to_another_member_with_all_it_has() {
    let Some(cluster) = three() else { return };
    let [first, second, third] = &cluster.members[..] else { panic!("three members") };
    first.lxc(["launch", "busybox", "web", "--target", "m1", "-c", "user.note=kept"]).ok();
    sh(first, "web", "echo first > /root/word; chown 7:8 /root/word");
    third.lxc(["snapshot", "web", "old"]).ok();
    sh(second, "web", "echo second > /root/word");
    first.request("POST", "/1.0/instances/web/backups", r#"{"name": "b"}"#).ok();
    until("the backup", || {
        let found = third.try_request("GET", "/1.0/instances/web/backups/b", &[], b"").ok()?;
        (found.status == 200).then_some(())
    });
    third.lxc(["move", "web", "--target", "m2"]).fails_with("stop it first");
    third.cli(["move", "web", "--target", "nowhere"]).fails_with("\"nowhere\" not found");
    let here = r#"{"name": "web", "migration": true}"#;
    let refused = third.request("POST", "/1.0/instances/web?target=m1", here);
    assert!(refused.error().contains("is on m1 already"), "{refused:?}");
    first.lxc(["stop", "web", "--force"]).ok();
    // The stock client, asking a member that has nothing to do with it.
    third.lxc(["move", "web", "--target", "m2"]).ok();
    for daemon in [first, second, third] {
        until("all know", || (place(daemon, "web") == ["m2", "Stopped"]).then_some(()));
    }
    has_nothing(first);
    first.lxc(["start", "web"]).ok();
    assert_eq!(sh(third, "web", "cat /root/word; stat -c %u:%g /root/word"), "second\n7:8");
    assert_eq!(first.lxc(["config", "get", "web", "user.note"]).text(), "kept");
    let backup = second.folder().join("backups/instances/default_web/b");
    assert!(backup.is_file(), "{backup:?}");
    second.lxc(["stop", "web", "--force"]).ok();
    second.lxc(["restore", "web", "old"]).ok();
    // With a new name, by our client.
    second.cli(["move", "web", "shop", "--target", "m3"]).ok();
    has_nothing(second);
    second.lxc(["start", "shop"]).ok();
    assert_eq!(sh(first, "shop", "cat /root/word"), "first");
    assert_eq!(place(first, "shop"), ["m3", "Running"]);
    assert_ne!(first.lxc(["info", "web"]).status, 0);
    // Copies beside others: of one that runs by our client, as the stock one would take its memory along.
    second.cli(["copy", "shop", "twin", "--target", "m1"]).ok();
    first.lxc(["stop", "shop", "--force"]).ok();
    second.lxc(["copy", "shop", "triplet", "--target", "m2"]).ok();
    assert_eq!(place(third, "triplet"), ["m2", "Stopped"]);
    first.lxc(["delete", "triplet"]).ok();
    second.cli(["copy", "shop", "--target", "nowhere"]).fails_with("\"nowhere\" not found");
    assert_eq!(place(third, "twin"), ["m1", "Stopped"]);
    third.lxc(["start", "twin"]).ok();
    assert_eq!(sh(second, "twin", "cat /root/word"), "first");
    first.lxc(["delete", "--force", "twin"]).ok();
    first.lxc(["delete", "--force", "shop"]).ok();

    // What is on one member alone keeps an instance there.
    first.lxc(["init", "busybox", "tied", "--target", "m1"]).ok();
    first.lxc(["storage", "volume", "create", "default", "data", "--target", "m1"]).ok();
    first
        .lxc([
            "config",
            "device",
            "add",
            "tied",
            "data",
            "disk",
            "pool=default",
            "source=data",
            "path=/data",
        ])
        .ok();
    let refused = second.lxc(["move", "tied", "--target", "m2"]);
    refused.fails_with("device \"data\" is volume data of member m1");
    first.lxc(["delete", "tied"]).ok();
    first.lxc(["storage", "volume", "delete", "default", "data"]).ok();
}

/// An instance with something to send.
fn big(daemon: &Daemon) {
    daemon.lxc(["launch", "busybox", "web", "--target", "m2"]).ok();
    sh(
        daemon,
        "web",
        "dd if=/dev/urandom of=/root/big bs=1M count=200; md5sum /root/big > /root/sum",
    );
    daemon.lxc(["stop", "web", "--force"]).ok();
}

/// The member of that name, counted from 0.
fn member(name: &str) -> Option<usize> {
    Some(name.strip_prefix('m')?.parse::<usize>().ok()? - 1)
}

/// Exactly one member has it, it is whole, and it starts; where it is then.
fn one_has_it(cluster: &Cluster) -> usize {
    let first = &cluster.members[0];
    within(Duration::from_secs(60), "one member has it", || {
        let at = place(first, "web")[0].clone();
        let at = member(&at)?;
        let others = cluster.members.iter().enumerate().filter(|(member, _)| *member != at);
        let clear = others.map(|(_, daemon)| has(daemon)).all(|left| left.is_empty());
        let busy = cluster.members.iter().any(|daemon| {
            let running = daemon.get("/1.0/operations")["running"].clone();
            running.as_array().is_some_and(|all| !all.is_empty())
        });
        (clear && !busy && !has(&cluster.members[at]).is_empty()).then_some(at)
    });
    let at = within(Duration::from_secs(30), "it starts", || {
        let started = first.lxc(["start", "web"]);
        (started.status == 0).then(|| member(&place(first, "web")[0]))?
    });
    assert_eq!(sh(first, "web", "md5sum -c /root/sum"), "/root/big: OK");
    first.lxc(["stop", "web", "--force"]).ok();
    at
}

/// How far the target is.
fn reached(target: &Daemon, stage: &str) -> bool {
    let at = |path: &str| target.folder().join(path);
    match stage {
        "sent" => {
            let entries = std::fs::read_dir(at("cache")).into_iter().flatten().flatten();
            entries.into_iter().any(|one| one.metadata().is_ok_and(|it| it.len() > 1 << 20))
        }
        _ => at("storage-pools/default/containers/web").exists(),
    }
}

#[test]
fn a_move_that_breaks_off_leaves_one_instance() {
    let Some(mut cluster) = three() else { return };
    big(&cluster.members[0]);
    let mut at = 1;
    for stage in ["sent", "unpacked"] {
        for who in ["source dies", "target dies", "cable of the target", "cancelled"] {
            let to = 3 - at;
            let target = format!("m{}", to + 1);
            let words = ["move", "web", "--target", &target];
            let moved = cluster.members[0].begin(Client::Lxc, &words, Vec::new());
            until("it is under way", || reached(&cluster.members[to], stage).then_some(()));
            match who {
                "source dies" => cluster.members[at].kill9(),
                "target dies" => cluster.members[to].kill9(),
                "cancelled" => {
                    let running = cluster.members[at].get("/1.0/operations")["running"].clone();
                    for one in running.as_array().into_iter().flatten() {
                        // One that has just ended, or is a part of another, cannot be cancelled.
                        _ = cluster.members[at].request(
                            "DELETE",
                            one.as_str().unwrap_or_default(),
                            "",
                        );
                    }
                }
                _ => {
                    cluster.unplug(to);
                    std::thread::sleep(Duration::from_secs(1));
                    cluster.plug(to);
                }
            }
            // Who waits for a member that is gone waits for long.
            if who == "source dies" {
                moved.signal(Signal::KILL);
            }
            moved.wait();
            match who {
                "source dies" => cluster.members[at].launch(),
                "target dies" => cluster.members[to].launch(),
                _ => {}
            }
            at = one_has_it(&cluster);
        }
    }
    cluster.members[0].lxc(["delete", "web"]).ok();
}

#[test]
fn a_machine_goes_while_it_runs() {
    if !lab::machines::has_agent() {
        return lab::skip("the agent for guests was not built: cargo xtask agent");
    }
    let Some(cluster) = three() else { return };
    let [first, second, third] = &cluster.members[..] else { panic!("three members") };
    if !first.tiny() {
        return;
    }
    let small =
        ["-c", "limits.memory=128MiB", "-c", "migration.stateful=true", "-d", "root,size=32MiB"];
    let words = [&["launch", "tiny", "v", "--vm", "--target", "m1"][..], &small].concat();
    first.run(Client::Lxc, &words).ok();
    let script = "(i=0; while :; do i=$((i+1)); echo $i > /run/count; sleep 0.05; done) < /dev/null > /dev/null 2>&1 &";
    within(Duration::from_secs(90), "the agent answers", || {
        (first.lxc(["exec", "v", "--", "sh", "-c", script]).status == 0).then_some(())
    });
    let count = |daemon: &Daemon| {
        within(Duration::from_secs(60), "it counts", || {
            let said = daemon.lxc(["exec", "v", "--", "cat", "/run/count"]);
            (said.status == 0).then(|| said.text().trim().parse::<u64>().ok())?
        })
    };
    let before = count(third);
    second.lxc(["move", "v", "--target", "m2"]).ok();
    assert_eq!(place(third, "v"), ["m2", "Running"]);
    let after = count(third);
    assert!(after > before, "{before} {after}");
    has_nothing(first);
    // A member that is emptied sends it on, and gets it back.
    first.lxc(["cluster", "evacuate", "m2", "--force"]).ok();
    let [at, status] = place(third, "v");
    assert!(at != "m2" && status == "Running", "{at} {status}");
    let later = count(third);
    assert!(later > after);
    third.cli(["cluster", "restore", "m2"]).ok();
    assert_eq!(place(first, "v"), ["m2", "Running"]);
    assert!(count(first) > later);
    first.lxc(["delete", "--force", "v"]).ok();
    first.lxc(["image", "delete", "tiny"]).ok();
}

#[test]
fn who_is_held_to_a_group_goes_to_one_of_it() {
    let Some(cluster) = three() else { return };
    let [first, second, third] = &cluster.members[..] else { panic!("three members") };
    first.lxc(["cluster", "group", "create", "some"]).ok();
    for member in ["m2", "m3"] {
        first.lxc(["cluster", "group", "assign", member, "default,some"]).ok();
    }
    let shared = ["-c", "features.images=false", "-c", "features.profiles=false"];
    let held = ["-c", "restricted=true", "-c", "restricted.cluster.groups=some"];
    let words = [&["project", "create", "kids"][..], &shared, &held].concat();
    first.run(Client::Lxc, &words).ok();
    second.lxc(["init", "busybox", "web", "--target", "m2", "--project", "kids"]).ok();
    let there =
        |name: &str| text(&third.get(&format!("/1.0/instances/{name}?project=kids"))["location"]);
    first
        .lxc(["move", "web", "--target", "m1", "--project", "kids"])
        .fails_with("restricted.cluster.groups");
    // The first has fewer, and it must not be that.
    for name in ["a", "b"] {
        first.lxc(["init", "busybox", name, "--target", "m3"]).ok();
    }
    first.lxc(["cluster", "evacuate", "m2", "--force"]).ok();
    assert_eq!(there("web"), "m3");
    first.lxc(["cluster", "restore", "m2", "--force"]).ok();
    assert_eq!(there("web"), "m2");
    first.lxc(["delete", "web", "--project", "kids"]).ok();
    first.lxc(["project", "delete", "kids"]).ok();
    for name in ["a", "b"] {
        first.lxc(["delete", name]).ok();
    }
}

#[test]
fn a_member_is_emptied_and_gets_all_back() {
    let Some(mut cluster) = three() else { return };
    let [first, second, third] = &cluster.members[..] else { panic!("three members") };
    for name in ["runs", "stays", "bound"] {
        first.lxc(["launch", "busybox", name, "--target", "m2"]).ok();
    }
    first.lxc(["init", "busybox", "off", "--target", "m2"]).ok();
    first.lxc(["config", "set", "stays", "cluster.evacuate", "stop"]).ok();
    first
        .lxc(["config", "set", "runs", "cluster.evacuate", "sometimes"])
        .fails_with("cluster.evacuate");
    first.lxc(["config", "device", "add", "bound", "etc", "disk", "source=/etc", "path=/mnt"]).ok();
    third.cli(["cluster", "evacuate", "m2", "--action", "burn"]).fails_with("mode");
    third.lxc(["cluster", "evacuate", "m2", "--force"]).ok();
    let [at, status] = place(first, "runs");
    assert!(at != "m2" && status == "Running", "{at} {status}");
    let [at, status] = place(first, "off");
    assert!(at != "m2" && status == "Stopped", "{at} {status}");
    for name in ["stays", "bound"] {
        assert_eq!(place(first, name), ["m2", "Stopped"]);
    }
    let listed = third.lxc(["cluster", "list", "--format", "csv"]).text();
    assert!(
        listed.lines().any(|line| line.starts_with("m2") && line.contains("EVACUATED")),
        "{listed}"
    );
    for name in ["x", "y", "z"] {
        second.lxc(["init", "busybox", name]).ok();
        assert_ne!(place(first, name)[0], "m2");
        second.lxc(["delete", name]).ok();
    }
    // Its daemon begins anew: nothing starts there until it is restored.
    cluster.members[1].restart();
    let [first, _, third] = &cluster.members[..] else { panic!("three members") };
    until("it answers", || {
        let listed = third.lxc(["cluster", "list", "--format", "csv"]).text();
        listed
            .lines()
            .any(|line| line.starts_with("m2") && line.contains("EVACUATED"))
            .then_some(())
    });
    assert_eq!(place(first, "stays"), ["m2", "Stopped"]);
    first.lxc(["cluster", "restore", "m2", "--force"]).ok();
    for name in ["runs", "stays", "bound"] {
        until("it is back", || (place(third, name) == ["m2", "Running"]).then_some(()));
    }
    assert_eq!(place(third, "off"), ["m2", "Stopped"]);
    let left = first.lxc(["config", "get", "runs", "volatile.evacuate.origin"]).text();
    assert_eq!(left, "");
    for name in ["runs", "stays", "bound", "off"] {
        first.lxc(["delete", "--force", name]).ok();
    }
}
