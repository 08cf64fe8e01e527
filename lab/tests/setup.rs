//! Servers that are set up by a person, or by YAML, and that are set up again.

use lab::{
    Background, Client, Daemon,
    cluster::{Cluster, address},
    until,
};
use serde_json::{Value, json};

/// What a server has of its own.
fn dumped(daemon: &Daemon) -> String {
    daemon.cli(["init", "--dump"]).text()
}

fn preseed(daemon: &Daemon, yaml: &str) -> lab::Run {
    daemon.run_with(Client::Cli, &["init", "--preseed"], yaml.as_bytes().to_vec())
}

fn place(daemon: &Daemon) -> (Value, Value) {
    let cluster = daemon.get("/1.0/cluster");
    (cluster["enabled"].clone(), cluster["server_name"].clone())
}

fn tidy(daemon: &Daemon) {
    for device in ["root", "eth0"] {
        daemon.lxc(["profile", "device", "remove", "default", device]).ok();
    }
    daemon.lxc(["network", "delete", "mcbr0"]).ok();
    daemon.lxc(["storage", "delete", "default"]).ok();
}

#[test]
fn a_person_sets_up_the_first_machine_and_two_more_join() {
    let Some(cluster) = Cluster::alone(3) else { return };
    let [first, second, third] = &cluster.members[..] else { panic!("three") };
    first.cli(["init"]).fails_with("there is nobody to ask");
    // Who thinks better of it has changed nothing.
    let given_up = first.typed("init", &["", "", "", "no", "no"]).wait();
    assert_ne!(given_up.status, 0);
    assert!(given_up.shown().contains("nothing was changed"), "{given_up}");
    assert_eq!(first.get("/1.0/storage-pools"), json!([]));

    let lines = ["yes", "m1", "tape", "dir", "", "yes", "10.77.0.1/24", "yes", "yes"];
    let sets_up: Background = first.typed("init --wait 2", &lines);
    let words = first.session()["words"].as_str().unwrap_or_default().to_owned();
    let joins = second.begin(Client::Cli, &["join", "--name", "m2", "--words", &words], Vec::new());
    let asked = third.typed("join", &["m3", &words]).wait().ok();
    joins.wait().ok();
    let shown = sets_up.wait().ok().shown();
    for words in ["\"tape\" is none of them", "first member of its cluster", "m3 is a member"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    // The pool is made as the first one's is, so nothing is asked of it.
    assert!(!asked.shown().contains("On this machine"), "{asked}");
    for daemon in [first, second, third] {
        assert_eq!(daemon.get("/1.0/networks/mcbr0")["config"]["ipv4.address"], "10.77.0.1/24");
        until("the pool", || daemon.folder().join("storage-pools/default").is_dir().then_some(()));
    }
    let devices = third.get("/1.0/profiles/default")["devices"].clone();
    assert_eq!(
        (&devices["root"]["pool"], &devices["eth0"]["network"]),
        (&"default".into(), &"mcbr0".into())
    );
    // Once more, and nothing is made twice.
    let again = first.typed("init", &["no"]).wait();
    assert!(again.shown().contains("member m1 of a cluster"), "{again}");
    second.cli(["init", "--auto"]).ok();
    assert_eq!(second.get("/1.0/storage-pools").as_array().map(Vec::len), Some(1));
    tidy(first);
}

#[test]
fn what_a_server_has_is_yaml_that_makes_another_like_it() {
    let Some(cluster) = Cluster::alone(2) else { return };
    let [first, second] = &cluster.members[..] else { panic!("two") };
    first.cli(["init", "--auto", "--network-address", "10.78.0.1/24"]).ok();
    first.lxc(["project", "create", "kids", "-c", "features.images=false"]).ok();
    first.lxc(["profile", "set", "default", "limits.cpu", "2"]).ok();
    first.lxc(["config", "set", "core.https_address", ":8443"]).ok();
    let yaml = dumped(first);
    assert!(yaml.contains("limits.cpu") && !yaml.contains("volatile."), "{yaml}");
    for daemon in [second, second, first] {
        preseed(daemon, &yaml).ok();
    }
    assert_eq!(dumped(second), yaml);
    assert_eq!(dumped(first), yaml);
    for daemon in [first, second] {
        daemon.lxc(["project", "delete", "kids"]).ok();
        tidy(daemon);
    }
}

#[test]
fn yaml_makes_a_cluster_and_may_be_given_again() {
    let Some(cluster) = Cluster::alone(2) else { return };
    let [first, second] = &cluster.members[..] else { panic!("two") };
    let yaml = "
config:
  core.https_address: 10.9.0.1:8443
storage_pools:
- name: default
  driver: dir
cluster:
  enabled: true
  server_name: m1
";
    preseed(first, yaml).ok();
    preseed(first, yaml).ok();
    assert_eq!(place(first), (true.into(), "m1".into()));
    preseed(first, &yaml.replace("m1", "m9")).fails_with("this server is member \"m1\"");
    let token = first.cli(["--quiet", "cluster", "add", "m2"]).text();
    let yaml = format!(
        "
cluster:
  enabled: true
  server_name: m2
  server_address: {}
  cluster_token: {}
  member_config:
  - entity: storage-pool
    name: default
    key: source
    value: {}
",
        address(1),
        token.trim(),
        second.scratch().join("pool").display()
    );
    std::fs::create_dir(second.scratch().join("pool")).unwrap_or_else(|e| panic!("{e}"));
    preseed(second, &yaml).ok();
    preseed(second, &yaml).ok();
    assert_eq!(place(second), (true.into(), "m2".into()));
    let source = second.scratch().join("pool").display().to_string();
    // It is made once the member has begun.
    until("its own part", || {
        let path = "/1.0/storage-pools/default?target=m2";
        let told = second.try_request("GET", path, &[], b"").ok()?;
        (told.body["metadata"]["config"]["source"] == source.as_str()).then_some(())
    });
    first.lxc(["storage", "delete", "default"]).ok();
}
