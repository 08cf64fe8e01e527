//! What members of a cloud are grouped by, tell of themselves, and show their clients.

use std::time::{Duration, Instant};

use lab::{Daemon, Run, cluster::Cluster, until};
use serde_json::{Value, json};

/// The stock client of somebody else, who comes over the network.
fn other(daemon: &Daemon, words: &[&str]) -> Run {
    let home = daemon.scratch().join("kid");
    let made = std::fs::create_dir_all(&home);
    made.unwrap_or_else(|e| panic!("cannot make {home:?}: {e}"));
    let mut command = daemon.netns().command("env");
    command
        .arg(format!("LXD_CONF={}", home.display()))
        .arg("LXD_DIR=/nowhere")
        .arg("lxc")
        .args(words);
    lab::Background::start(command, Vec::new()).wait()
}

fn group(daemon: &Daemon, name: &str) -> Value {
    daemon.get(&format!("/1.0/cluster/groups/{name}"))["members"].clone()
}

fn groups(daemon: &Daemon, member: &str) -> Value {
    daemon.get(&format!("/1.0/cluster/members/{member}"))["groups"].clone()
}

#[test]
fn groups_say_where_instances_are_put() {
    let Some(cluster) = Cluster::of(2) else { return };
    let [first, second] = &cluster.members[..] else { panic!("two members") };
    assert_eq!(group(first, "default"), json!(["m1", "m2"]));
    second.lxc(["cluster", "group", "create", "fast"]).ok();
    second.lxc(["cluster", "group", "create", "fast"]).fails_with("already exists");
    first.cli(["cluster", "group", "create", "a,b"]).fails_with("commas");
    first.cli(["cluster", "group", "add", "m2", "fast"]).ok();
    assert_eq!(groups(first, "m2"), json!(["default", "fast"]));
    first.lxc(["cluster", "group", "assign", "m2", "fast"]).ok();
    assert_eq!((groups(first, "m2"), group(first, "fast")), (json!(["fast"]), json!(["m2"])));
    until("the other sees it", || (groups(second, "m2") == json!(["fast"])).then_some(()));
    assert!(second.lxc(["cluster", "group", "show", "fast"]).text().contains("- m2"));
    assert!(second.lxc(["cluster", "group", "list"]).text().contains("| fast"));
    let told = first.cli(["cluster", "group", "list", "--format", "csv"]).text();
    assert_eq!(told, "default,Default cluster group,m1\nfast,,m2");
    // Nobody is in none.
    first.cli(["cluster", "group", "remove", "m1", "default"]).fails_with("always in one");
    let emptied = first.request("PUT", "/1.0/cluster/groups/fast", r#"{"members":[]}"#);
    assert!(emptied.error().contains("\"m2\" would be in no group"), "{}", emptied.error());
    first.request("PATCH", "/1.0/cluster/groups/fast", r#"{"description":"quick ones"}"#).ok();
    let shown = first.get("/1.0/cluster/groups/fast");
    assert_eq!((&shown["description"], &shown["members"]), (&"quick ones".into(), &json!(["m2"])));
    first.lxc(["cluster", "group", "delete", "fast"]).fails_with("in use by member \"m2\"");
    first.lxc(["cluster", "group", "rename", "default", "x"]).fails_with("cannot be renamed");
    first.lxc(["cluster", "group", "rename", "fast", "quick"]).ok();
    assert_eq!(groups(first, "m2"), json!(["quick"]));

    first.lxc(["storage", "create", "default", "dir"]).ok();
    let root = ["profile", "device", "add", "default", "root", "disk", "path=/", "pool=default"];
    first.lxc(root).ok();
    first.cli(["image", "build", "busybox", "--alias", "busybox"]).ok();
    for (name, group) in [("a", "@quick"), ("b", "@quick"), ("c", "@default")] {
        first.lxc(["init", "busybox", name, "--target", group]).ok();
    }
    first.lxc(["init", "busybox", "x", "--target", "@none"]).fails_with("\"none\" not found");
    let at = |daemon: &Daemon, path: &str| daemon.get(path)["location"].clone();
    let places = ["a", "b", "c"].map(|name| at(first, &format!("/1.0/instances/{name}")));
    assert_eq!(places, ["m2", "m2", "m1"].map(Value::from));

    a_project_is_held_to_its_groups(first);
    for name in ["a", "b", "c"] {
        first.lxc(["delete", name]).ok();
    }
    first.lxc(["cluster", "group", "assign", "m2", "default"]).ok();
    first.lxc(["cluster", "group", "delete", "quick"]).ok();
    first.lxc(["image", "delete", "busybox"]).ok();
}

#[test]
fn a_member_tells_how_it_is() {
    let Some(mut cluster) = Cluster::of(2) else { return };
    let [first, second] = &cluster.members[..] else { panic!("two members") };
    first.lxc(["storage", "create", "default", "dir"]).ok();
    for daemon in [first, second] {
        let state = daemon.get("/1.0/cluster/members/m2/state");
        let info = &state["sysinfo"];
        for key in ["total_ram", "free_ram", "processes", "uptime", "logical_cpus"] {
            assert!(info[key].as_u64() > Some(0), "{key}: {state}");
        }
        assert_eq!(info["load_averages"].as_array().map(Vec::len), Some(3), "{state}");
        let space = &state["storage_pools"]["default"]["space"];
        assert!(space["total"].as_u64() > space["used"].as_u64(), "{state}");
    }
    assert!(first.cli(["cluster", "info", "m2"]).text().contains("total_ram:"));
    first.cli(["cluster", "info", "m3"]).fails_with("\"m3\" not found");
    cluster.members[1].kill9();
    cluster.members[0].cli(["cluster", "info", "m2"]).fails_with("\"m2\" does not answer");
    cluster.members[1].launch();
    cluster.members[0].lxc(["storage", "delete", "default"]).ok();
}

/// SHA-256 of the certificate that clients are shown at a member's address, asked by another.
fn shown(ask: &Daemon, member: usize) -> String {
    let at = lab::cluster::address(member);
    let line = format!(
        "openssl s_client -connect {at} </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256"
    );
    let said = ask.netns().run(&["sh", "-c", &line]).shown();
    said.trim().rsplit('=').next().unwrap_or_default().replace(':', "").to_lowercase()
}

#[test]
fn the_certificate_is_replaced_on_all_members() {
    let Some(mut cluster) = Cluster::of(3) else { return };
    let first = &cluster.members[0];
    let before = shown(first, 1);
    // Somebody who knows the cluster by it.
    let add = ["config", "trust", "add", "--name", "kid", "-q"];
    let token = first.lxc(add).text();
    other(first, &["remote", "add", "pi", token.lines().last().unwrap_or_default()]).ok();
    other(first, &["list", "pi:"]).ok();
    let path = |end: &str| first.scratch().join(end).to_string_lossy().into_owned();
    let (crt, key) = (path("new.crt"), path("new.key"));
    for (crt, key) in [(&crt, &key), (&path("more.crt"), &path("more.key"))] {
        let made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        let to = ["-keyout", key, "-out", crt, "-subj", "/CN=pi", "-days", "30"];
        first.netns().run(&[&["openssl", "req", "-x509"][..], &made, &to].concat()).ok();
    }
    first.cli(["cluster", "update-certificate", &crt, &path("more.key")]).fails_with("certificate");
    first.cli(["cluster", "update-certificate", &key, &crt]).fails_with("certificate");
    assert_eq!(shown(first, 0), before);

    // One is off meanwhile.
    cluster.members[2].kill9();
    let first = &cluster.members[0];
    first.lxc(["cluster", "update-certificate", &crt, &key]).ok();
    let after = first.get("/1.0")["environment"]["certificate_fingerprint"].clone();
    assert_ne!(after, before.as_str());
    for member in [0, 1] {
        until("the new one", || (after == shown(first, member).as_str()).then_some(()));
    }
    other(first, &["list", "pi:"]).fails_with("certificate");
    cluster.members[2].launch();
    let first = &cluster.members[0];
    until("the new one on who was off", || (after == shown(first, 2).as_str()).then_some(()));
    // Broken off between the two files.
    let stale = cluster.members[2].folder().join("cluster.key");
    cluster.members[2].kill9();
    std::fs::copy(cluster.members[2].folder().join("server.key"), &stale).unwrap();
    cluster.members[2].launch();
    let first = &cluster.members[0];
    until("the new one again", || (after == shown(first, 2).as_str()).then_some(()));
    // Members go on to know each other, and another comes.
    first.lxc(["project", "create", "kids"]).ok();
    first.lxc(["project", "delete", "kids"]).ok();
    let Some(fourth) = cluster.add() else { return };
    cluster.join(fourth);
    assert_eq!(after, shown(&cluster.members[0], fourth).as_str());
    let trusted = cluster.members[0].get("/1.0/certificates?recursion=1");
    let print = trusted[0]["fingerprint"].as_str().unwrap_or_default();
    cluster.members[0].lxc(["config", "trust", "remove", print]).ok();
}

fn status(daemon: &Daemon, member: &str) -> Value {
    daemon.get(&format!("/1.0/cluster/members/{member}"))["status"].clone()
}

#[test]
fn nobody_waits_for_who_is_known_to_be_off() {
    let Some(cluster) = Cluster::of(3) else { return };
    let [first, second, third] = &cluster.members[..] else { panic!("three members") };
    cluster.unplug(2);
    // Once, and then it is known.
    for daemon in [first, second] {
        until("it is missed", || (status(daemon, "m3") == "Offline").then_some(()));
    }
    let begun = Instant::now();
    for _ in 0..5 {
        for daemon in [first, second] {
            assert_eq!(daemon.get("/1.0/instances?recursion=1"), json!([]));
            assert_eq!(status(daemon, "m3"), "Offline");
        }
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(2), "ten lists took {took:?}");
    cluster.plug(2);
    for daemon in [first, second, third] {
        for member in ["m1", "m2", "m3"] {
            until("all are there", || (status(daemon, member) == "Online").then_some(()));
        }
    }
}

#[test]
fn who_was_removed_while_it_was_off_says_so() {
    let Some(mut cluster) = Cluster::of(3) else { return };
    cluster.members[2].kill9();
    let first = &cluster.members[0];
    first.cli(["cluster", "remove", "m3"]).fails_with("cannot");
    first.cli(["cluster", "remove", "m3", "--force"]).ok();
    cluster.members[2].launch();
    let third = &cluster.members[2];
    third.cli(["list"]).fails_with("was removed from its cluster");
    third.lxc(["project", "create", "x"]).fails_with("microcloud cluster leave");
    assert!(third.log().contains("was removed from its cluster"));
    third.cli(["cluster", "leave"]).ok();
    assert_eq!(third.get("/1.0/cluster")["enabled"], false);
    third.lxc(["project", "list"]).ok();
    // It may come again; and the next time it is the cable that is out while it is removed.
    cluster.join(2);
    cluster.unplug(2);
    cluster.members[0].cli(["cluster", "remove", "m3", "--force"]).ok();
    cluster.plug(2);
    let third = &cluster.members[2];
    until("it is told", || {
        let said = third.cli(["list"]);
        (said.status != 0 && said.stderr.contains("was removed from its cluster")).then_some(())
    });
    third.cli(["cluster", "leave"]).ok();
    cluster.members[0].cli(["cluster", "leave"]).fails_with("microcloud cluster remove");
}

#[test]
fn a_leader_that_dies_is_soon_followed() {
    let Some(mut cluster) = Cluster::of(3) else { return };
    let leads = |one: &Value| one["roles"][0] == "database-leader";
    let votes = |one: &Value| one["database"] == true;
    let members = |daemon: &Daemon| {
        let all = daemon.get("/1.0/cluster/members?recursion=1");
        all.as_array().cloned().unwrap_or_default()
    };
    until("three votes", || {
        let all = members(&cluster.members[0]);
        (all.iter().filter(|one| votes(one)).count() == 3).then_some(())
    });
    let all = members(&cluster.members[0]);
    let leader = all.iter().position(leads).unwrap_or_default();
    let other = (leader + 1) % 3;
    cluster.members[leader].kill9();
    let killed = Instant::now();
    let post = r#"{"name":"after"}"#;
    until("a change", || {
        let made = cluster.members[other].request("POST", "/1.0/projects", post);
        (made.status == 200).then_some(())
    });
    let took = killed.elapsed();
    eprintln!("a leader was killed; the first change went through after {took:?}");
    // It is less than two seconds on a machine that does nothing else.
    assert!(took < Duration::from_secs(4), "it took {took:?}");
    cluster.members[leader].launch();
    cluster.members[other].lxc(["project", "delete", "after"]).ok();
}

#[test]
fn the_cloud_is_seen_at_a_glance() {
    let Some(mut cluster) = Cluster::alone(3) else { return };
    let first = &cluster.members[0];
    first.lxc(["storage", "create", "default", "dir"]).ok();
    let alone = first.cli(["status", "--wear"]).text();
    assert!(!alone.contains("Cluster:") && alone.contains("Instances: none"), "{alone}");
    assert!(alone.contains("Pool:      default (dir), "), "{alone}");
    assert!(alone.contains("Wear:      in ") && alone.contains(" a day)"), "{alone}");
    first.cli(["cluster", "enable", "m1", "--address", &lab::cluster::address(0)]).ok();
    cluster.join(1);
    cluster.join(2);
    let told = |ask: usize| cluster.members[ask].cli(["status"]).text();
    let shown = until("three votes", || {
        Some(told(1)).filter(|text| text.contains("3 members, 3 of 3 votes are there"))
    });
    assert!(
        shown.contains("Member:    m1, online, database-leader, 10.9.0.1:8443, load "),
        "{shown}"
    );
    assert!(shown.contains("Pool:      default (dir) on m3, "), "{shown}");
    assert!(shown.contains("\nWarnings:  "), "{shown}");
    let worn = cluster.members[1].cli(["status", "--wear"]).text();
    assert!(worn.contains("Wear:      m3: in "), "{worn}");
    cluster.members[2].kill9();
    let told = cluster.members[1].cli(["status"]).text();
    assert!(told.contains("2 of 3 votes are there: none of them may go"), "{told}");
    assert!(told.contains("Pool:      default (dir) on m3, not known"), "{told}");
    cluster.members[1].kill9();
    let told = cluster.members[0].cli(["status"]).text();
    assert!(told.contains("1 of 3 votes are there: nothing can be changed until 2 are"), "{told}");
    cluster.members[1].launch();
    cluster.members[2].launch();
    cluster.members[0].lxc(["storage", "delete", "default"]).ok();
}

/// An interface with nothing at its other end.
fn wire(daemon: &Daemon, link: &str) {
    let end = format!("{link}x");
    daemon.netns().run(&["ip", "link", "add", link, "type", "veth", "peer", "name", &end]).ok();
}

#[test]
fn a_network_has_its_own_interfaces_on_each_member() {
    let Some(mut cluster) = Cluster::of(2) else { return };
    let links = ["ext1", "ext2"];
    for (daemon, link) in cluster.members.iter().zip(links) {
        wire(daemon, link);
    }
    let [first, second] = &cluster.members[..] else { panic!("two members") };
    let told = |member: &str, option: &str| {
        first.lxc(["network", "create", "lan0", "--target", member, option])
    };
    told("m1", "bridge.external_interfaces=ext1").ok();
    told("m2", "ipv4.address=none").fails_with("ipv4.address is the same on all members");
    told("m3", "bridge.external_interfaces=ext1").fails_with("\"m3\" not found");
    let shown = first.get("/1.0/networks/lan0");
    assert_eq!((&shown["status"], &shown["locations"]), (&"Pending".into(), &json!(["m1"])));
    first.lxc(["network", "delete", "lan0"]).ok();
    assert_eq!(first.request("GET", "/1.0/networks/lan0", "").status, 404);
    for (member, link) in [("m1", "ext1"), ("m2", "ext2")] {
        told(member, &format!("bridge.external_interfaces={link}")).ok();
    }
    second.lxc(["network", "create", "lan0", "ipv4.address=none", "ipv6.address=none"]).ok();
    let is_on = |daemon: &Daemon, link: &str| {
        let said = daemon.netns().run(&["ip", "-o", "link", "show", link]).shown();
        said.contains("master lan0")
    };
    for (daemon, link) in [(first, "ext1"), (second, "ext2")] {
        until("the interface on the bridge", || is_on(daemon, link).then_some(()));
    }
    let own = |member: &str| {
        let shown = first.get(&format!("/1.0/networks/lan0?target={member}"));
        assert_eq!(shown["locations"], json!(["m1", "m2"]));
        shown["config"]["bridge.external_interfaces"].clone()
    };
    assert_eq!((own("m1"), own("m2")), ("ext1".into(), "ext2".into()));
    // One alone changes, from anywhere; what all share changes on all.
    wire(second, "ext4");
    let two = "bridge.external_interfaces=ext2,ext4";
    first.lxc(["network", "set", "lan0", "--target", "m2", two]).ok();
    until("one more on the bridge", || is_on(second, "ext4").then_some(()));
    assert!(is_on(second, "ext2") && is_on(first, "ext1"));
    assert_eq!((own("m1"), own("m2")), ("ext1".into(), "ext2,ext4".into()));
    first.lxc(["network", "set", "lan0", "bridge.mtu=1400"]).ok();
    until("another packet size", || {
        let said = second.netns().run(&["ip", "-o", "link", "show", "lan0"]).shown();
        said.contains("mtu 1400 ").then_some(())
    });
    let Some(third) = cluster.add() else { return };
    let more = &cluster.members[third];
    wire(more, "ext3");
    let token = cluster.members[0].cli(["--quiet", "cluster", "add", "m3"]).text();
    let own = "lan0:bridge.external_interfaces=ext3";
    let at = lab::cluster::address(third);
    more.cli(["join", token.trim(), "--address", &at, "--network-config", own]).ok();
    until("its own on the bridge", || is_on(more, "ext3").then_some(()));
    cluster.members[0].lxc(["network", "delete", "lan0"]).ok();
    cluster.members[1].netns().run(&["ip", "link", "del", "ext4"]).ok();
    for (daemon, link) in cluster.members.iter().zip(["ext1", "ext2", "ext3"]) {
        until("no bridge", || (!daemon.netns().links().contains(&"lan0".to_owned())).then_some(()));
        daemon.netns().run(&["ip", "link", "del", link]).ok();
    }
}

fn a_project_is_held_to_its_groups(first: &Daemon) {
    let create = |groups: &str| {
        let groups = format!("restricted.cluster.groups={groups}");
        first.cli([
            "project",
            "create",
            "kids",
            "-c",
            "features.images=false",
            "-c",
            "features.profiles=false",
            "-c",
            "restricted=true",
            "-c",
            &groups,
        ])
    };
    create("nowhere").fails_with("cluster group \"nowhere\" not found");
    create("quick").ok();
    let init = |name: &str, more: &[&str]| {
        let words = ["init", "busybox", name, "--project", "kids"];
        first.run(lab::Client::Lxc, &[&words[..], more].concat())
    };
    for name in ["d", "e"] {
        init(name, &[]).ok();
        let path = format!("/1.0/instances/{name}?project=kids");
        assert_eq!(first.get(&path)["location"], "m2");
    }
    init("f", &["--target", "m1"]).fails_with("restricted.cluster.groups");
    init("f", &["--target", "@default"]).fails_with("restricted.cluster.groups");
    init("f", &["--target", "m2"]).ok();
    first.lxc(["cluster", "group", "rename", "quick", "x"]).fails_with("project \"kids\"");
    // Who is held to the project may not choose, until the project lets it.
    let token = first
        .lxc([
            "config",
            "trust",
            "add",
            "--name",
            "kid",
            "--restricted",
            "--projects",
            "kids",
            "-q",
        ])
        .text();
    other(first, &["remote", "add", "pi", token.lines().last().unwrap_or_default()]).ok();
    let kid = |name: &str| {
        let words = ["init", "pi:busybox", &format!("pi:{name}"), "--project", "kids"];
        other(first, &[&words[..], &["--target", "m2"]].concat())
    };
    kid("g").fails_with("restricted.cluster.target is block");
    first.cli(["project", "set", "kids", "restricted.cluster.target=allow"]).ok();
    kid("g").ok();
    for name in ["d", "e", "f", "g"] {
        first.lxc(["delete", name, "--project", "kids"]).ok();
    }
    first.lxc(["project", "delete", "kids"]).ok();
    let trusted = first.get("/1.0/certificates?recursion=1");
    let print = trusted[0]["fingerprint"].as_str().unwrap_or_default();
    first.lxc(["config", "trust", "remove", print]).ok();
}

#[test]
fn another_machine_takes_the_place_of_a_dead_member() {
    let Some(mut cluster) = Cluster::of(3) else { return };
    let first = &cluster.members[0];
    first.lxc(["storage", "create", "default", "dir"]).ok();
    first.lxc(["cluster", "group", "create", "fast"]).ok();
    first.lxc(["cluster", "group", "assign", "m3", "fast"]).ok();
    first.cli(["cluster", "set", "m3", "scheduler.instance=group"]).ok();
    first.lxc(["storage", "volume", "create", "default", "v", "--target", "m3"]).ok();
    first.cli(["cluster", "replace", "m3"]).fails_with("\"m3\" answers");
    cluster.members[2].kill9();
    let Some(new) = cluster.add() else { return };
    let [first, _, _, heir] = &cluster.members[..] else { panic!("four") };
    let token = first.cli(["--quiet", "cluster", "replace", "m3"]).text();
    // Nothing is left of it.
    assert_eq!(first.request("GET", "/1.0/cluster/members/m3", "").status, 404);
    assert!(!first.lxc(["storage", "volume", "list", "default"]).text().contains("| v "));
    assert!(!first.lxc(["warning", "list", "--all"]).text().contains("m3"));
    assert_eq!(group(first, "fast"), json!([]));
    heir.cli(["join", token.trim(), "--address", &lab::cluster::address(new)]).ok();
    until("it is there", || {
        let member = first.get("/1.0/cluster/members/m3");
        (member["status"] == "Online").then_some(())
    });
    let member = first.get("/1.0/cluster/members/m3");
    assert_eq!(member["url"], "https://10.9.0.4:8443");
    assert_eq!(
        (&member["groups"], &member["config"]["scheduler.instance"]),
        (&json!(["fast"]), &"group".into())
    );
    until("three votes", || {
        let all = first.get("/1.0/cluster/members?recursion=1");
        let votes = all.as_array().into_iter().flatten().filter(|one| one["database"] == true);
        (votes.count() == 3).then_some(())
    });
    cluster.members[2].launch();
    until("it knows", || {
        let told = cluster.members[2].cli(["list"]);
        told.stderr.contains("removed from its cluster").then_some(())
    });
    cluster.members[2].cli(["cluster", "leave"]).ok();
    // What its pools hold stays, for a recovery.
    let pool = cluster.members[2].folder().join("storage-pools/default");
    std::fs::remove_dir_all(&pool).unwrap_or_else(|e| panic!("cannot remove {pool:?}: {e}"));
    let first = &cluster.members[0];
    first.lxc(["cluster", "group", "assign", "m3", "default"]).ok();
    first.lxc(["cluster", "group", "delete", "fast"]).ok();
    first.lxc(["storage", "delete", "default"]).ok();
}
