//! The same load while members are upgraded one after another, as `cargo xtask test --upgrade REVISION` asks:
//! `UPGRADE_FROM` names the program that they begin with.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use lab::{Daemon, cluster::Cluster, within};
use serde_json::Value;

/// Between two upgrades, so that both versions are at work beside each other.
const BETWEEN: Duration = Duration::from_secs(5);
/// For members to be at work again after the last one.
const BACK: Duration = Duration::from_secs(60);
/// Instances that nobody touches: one on each member.
const STILL: [&str; 3] = ["still1", "still2", "still3"];

/// The program of the version before, if somebody asks for it.
pub(super) fn before() -> Option<PathBuf> {
    std::env::var_os("UPGRADE_FROM").map(PathBuf::from)
}

/// What must run on all the while; the first process of each.
pub(super) fn settle(cluster: &Cluster) -> BTreeMap<&'static str, Value> {
    for (member, name) in STILL.into_iter().enumerate() {
        let at = lab::cluster::name(member);
        cluster.members[0].lxc(["launch", "busybox", name, "--target", &at]).ok();
    }
    pids(&cluster.members[0])
}

fn pids(daemon: &Daemon) -> BTreeMap<&'static str, Value> {
    let pid = |name| daemon.get(&format!("/1.0/instances/{name}/state"))["pid"].clone();
    STILL.into_iter().map(|name| (name, pid(name))).collect()
}

/// Upgrades all members; says what was seen of each.
pub(super) fn all(cluster: &mut Cluster) -> Vec<String> {
    let mut told = Vec::new();
    for member in 0..cluster.members.len() {
        thread::sleep(BETWEEN);
        let daemon = &mut cluster.members[member];
        let began = Instant::now();
        daemon.stop();
        daemon.upgrade(lab::binary());
        daemon.launch_aside(&[]);
        let works = daemon.lxc(["query", "/1.0"]).status == 0;
        let words = if works { "works" } else { "waits" };
        told.push(format!("m{} {words} after {:.1} s", member + 1, began.elapsed().as_secs_f32()));
    }
    let began = Instant::now();
    for daemon in &cluster.members {
        within(BACK, "all members at work", || {
            let all = daemon.try_request("GET", "/1.0/cluster/members?recursion=1", &[], b"");
            let all = all.ok()?.body["metadata"].as_array()?.clone();
            all.iter().all(|one| one["message"] == "Fully operational").then_some(())
        });
    }
    told.push(format!("all work {:.1} s later", began.elapsed().as_secs_f32()));
    thread::sleep(BETWEEN);
    told
}

/// What did not run on.
pub(super) fn stopped(cluster: &Cluster, before: &BTreeMap<&'static str, Value>) -> Vec<String> {
    let now = pids(&cluster.members[0]);
    let gone = before.iter().filter(|(name, pid)| now.get(*name) != Some(pid));
    gone.map(|(name, _)| format!("{name} did not run on")).collect()
}

/// Takes away what [`settle`] made.
pub(super) fn clear(cluster: &Cluster) {
    for name in STILL {
        cluster.members[0].lxc(["exec", name, "--", "true"]).ok();
        cluster.members[0].lxc(["delete", "--force", name]).ok();
    }
}
