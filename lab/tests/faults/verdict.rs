//! What a cluster must be once all is mended.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::{Duration, Instant},
};

use lab::{Daemon, cluster::Cluster, until};
use serde_json::Value;

use super::{counter, history, load::Story};

/// How long what was under way may take to come to its end, one way or the other.
const SETTLED: Duration = Duration::from_secs(90);

/// A pool, an image, a counter.
pub(super) fn furnish(cluster: &Cluster) {
    let first = &cluster.members[0];
    until("three votes", || {
        let all = first.get("/1.0/cluster/members?recursion=1");
        let votes = all.as_array()?.iter().filter(|one| one["roles"][0] != "database-standby");
        (votes.count() == 3).then_some(())
    });
    first.lxc(["storage", "create", "default", "dir"]).ok();
    let root = ["profile", "device", "add", "default", "root", "disk", "path=/", "pool=default"];
    first.lxc(root).ok();
    first.cli(["image", "build", "busybox", "--alias", "busybox"]).ok();
    counter::make(first);
}

/// What a member says of all instances: where each is, whether it runs, its note.
fn told(daemon: &Daemon) -> Option<BTreeMap<String, [String; 3]>> {
    let reply = daemon.try_request("GET", "/1.0/instances?recursion=1", &[], b"").ok()?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = reply.body["metadata"].as_array()?;
    let row = |one: &Value| {
        let note = text(&one["config"]["user.note"]);
        (text(&one["name"]), [text(&one["location"]), text(&one["status"]), note])
    };
    Some(all.iter().map(row).collect())
}

fn busy(daemon: &Daemon) -> bool {
    let reply = daemon.try_request("GET", "/1.0/operations", &[], b"");
    reply.map_or(true, |reply| reply.body["metadata"]["running"].is_array())
}

/// What a member has of instances on its disk.
fn on_disk(daemon: &Daemon) -> BTreeSet<String> {
    let folder = daemon.folder().join("storage-pools/default/containers");
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// What lies between two servers, or waits to be sent.
fn under_way(daemon: &Daemon) -> Vec<String> {
    let places = ["cache", "backups/instances"].map(|place| daemon.folder().join(place));
    let entries = places.iter().flat_map(|place| fs::read_dir(place).into_iter().flatten());
    entries.flatten().map(|entry| entry.path().display().to_string()).collect()
}

/// What is still to settle, if anything is.
fn unsettled(cluster: &Cluster) -> Option<String> {
    let members = &cluster.members;
    if let Some(busy) = members.iter().position(busy) {
        return Some(format!("m{} is at work", busy + 1));
    }
    let views: Vec<_> = members.iter().map(told).collect();
    let Some(view) = views[0].clone() else { return Some(String::from("m1 does not answer")) };
    if let Some(other) = views.iter().position(|other| other.as_ref() != Some(&view)) {
        return Some(format!("m1 says {view:?}, m{} {:?}", other + 1, views[other]));
    }
    for (number, daemon) in members.iter().enumerate() {
        let name = lab::cluster::name(number);
        let here = view.iter().filter(|(_, [at, ..])| *at == name);
        let rows: BTreeSet<_> = here.clone().map(|(name, _)| name.clone()).collect();
        let disk = on_disk(daemon);
        if disk != rows {
            return Some(format!("{name} has {disk:?} on its disk, and should have {rows:?}"));
        }
        let runs = here.filter(|(_, [_, status, _])| status == "Running");
        let runs: BTreeSet<_> = runs.map(|(name, _)| format!("default_{name}")).collect();
        let found = lab::running(&daemon.folder());
        if found != runs {
            return Some(format!("{name} runs {found:?}, and should run {runs:?}"));
        }
        let left = under_way(daemon);
        if !left.is_empty() {
            return Some(format!("{name} has left {left:?}"));
        }
    }
    // One that was started a moment ago may still be told of what was written meanwhile.
    let counts = counts(members);
    (counts.len() > 1).then(|| format!("members have counted to {counts:?}"))
}

/// What the members' databases say of the counter.
fn counts(members: &[Daemon]) -> BTreeSet<u64> {
    members.iter().map(|daemon| counter::told(daemon).unwrap_or_default()).collect()
}

/// Waits until nothing is under way, as far as that comes.
pub(super) fn healed(cluster: &Cluster) {
    let end = Instant::now() + SETTLED;
    while unsettled(cluster).is_some() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// What is not as it must be.
pub(super) fn judge(cluster: &Cluster, known: &Story) -> Vec<String> {
    let mut wrong: Vec<String> = unsettled(cluster).into_iter().collect();
    let first = &cluster.members[0];
    let view = told(first).unwrap_or_default();
    for (name, thing) in &known.things {
        let found = view.get(name);
        match (thing.there, found) {
            (Some(true), None) => wrong.push(format!("{name} is lost")),
            (Some(false), Some(_)) => wrong.push(format!("{name} is there again")),
            _ => {}
        }
        let Some([at, status, note]) = found else { continue };
        let is = |what: &str, wanted: Option<&String>, is: &String| match wanted {
            Some(wanted) if wanted != is => {
                Some(format!("{name}: {what} is {is:?}, and was acknowledged as {wanted:?}"))
            }
            _ => None,
        };
        let power = thing.running.map(|on| if on { "Running" } else { "Stopped" }.to_owned());
        wrong.extend(is("place", thing.at.as_ref(), at));
        wrong.extend(is("status", power.as_ref(), status));
        wrong.extend(is("note", thing.note.as_ref(), note));
        let asked = first.request("GET", &format!("/1.0/instances/{name}/snapshots"), "");
        if asked.status != 200 {
            wrong.push(format!("{name}: its snapshots cannot be listed: {}", asked.error()));
            continue;
        }
        let kept = asked.body.to_string();
        let lost = thing.snapshots.iter().filter(|one| !kept.contains(&format!("/{one}\"")));
        wrong.extend(lost.map(|one| format!("{name}: snapshot {one} is lost")));
    }
    let strange = view.keys().filter(|name| !known.things.contains_key(*name));
    wrong.extend(strange.map(|name| format!("nobody asked for {name}")));
    let last = counts(&cluster.members).last().copied().unwrap_or_default();
    wrong.extend(history::wrong(&known.events, last));
    wrong
}

/// Deletes every instance, and tells what cannot be, or is left.
pub(super) fn clear(cluster: &Cluster) -> Vec<String> {
    let mut wrong = Vec::new();
    let first = &cluster.members[0];
    let socket = first.folder().join("unix.socket");
    for (name, [_, status, _]) in told(first).unwrap_or_default() {
        if status != "Stopped" {
            let stop = r#"{"action": "stop", "force": true}"#;
            // It may have ended by itself.
            let _ = lab::ask(&socket, "PUT", &format!("/1.0/instances/{name}/state"), stop);
        }
        let gone = lab::ask(&socket, "DELETE", &format!("/1.0/instances/{name}"), "");
        wrong.extend(gone.done().err().map(|why| format!("{name} cannot be deleted: {why}")));
    }
    healed(cluster);
    wrong.extend(unsettled(cluster).map(|what| format!("after all was deleted {what}")));
    wrong
}
