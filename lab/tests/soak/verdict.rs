//! What a daemon must have once it runs again and all is settled.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, thread,
    time::{Duration, Instant},
};

use lab::Daemon;
use serde_json::Value;

use super::{
    load::Load,
    thing::{Kind, Thing},
};
use crate::faults::{counter, history};

/// How long what was under way may take to come to its end, one way or the other.
const SETTLED: Duration = Duration::from_secs(30);
/// A monitor's, in its folder.
const SOCKET: &str = "monitor.sock";
/// Workers' own volumes, which stay.
const STAYS: &str = "data";

/// What the daemon says of a thing.
struct Found {
    status: String,
    note: String,
    snapshots: BTreeSet<String>,
}

type View = BTreeMap<String, Found>;

/// What is not as it must be; what was in doubt is then known.
pub(super) fn judge(daemon: &Daemon, loads: &mut [Load]) -> Vec<String> {
    let mut wrong = awaited(|| unsettled(daemon));
    let mut view = View::new();
    for kind in [Kind::Instance, Kind::Volume] {
        view.extend(told(daemon, kind));
    }
    view.retain(|name, _| !name.starts_with(STAYS));
    for load in &mut *loads {
        wrong.extend(twice(&load.things, &view));
        for (name, thing) in &mut load.things {
            wrong.extend(one(daemon, name, thing, view.get(name)));
        }
        load.things.retain(|_, thing| thing.there == Some(true));
    }
    let known = |name: &String| loads.iter().any(|load| load.things.contains_key(name));
    let strange = view.keys().filter(|name| !known(name));
    wrong.extend(strange.map(|name| format!("{name} is there, and should not be")));
    let events: Vec<_> = loads.iter().flat_map(|load| load.events.clone()).collect();
    wrong.extend(history::wrong(&events, counter::told(daemon).unwrap_or_default()));
    wrong
}

/// What looks on until there is nothing to tell, for a while; what there is to tell then.
pub(super) fn awaited(look: impl Fn() -> Vec<String>) -> Vec<String> {
    let end = Instant::now() + SETTLED;
    loop {
        let found = look();
        if found.is_empty() || Instant::now() > end {
            return found;
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// Those that were to be renamed have one of both names.
fn twice(things: &BTreeMap<String, Thing>, view: &View) -> Vec<String> {
    let doubts = things.iter().filter_map(|(name, thing)| Some((name, thing.or.as_ref()?)));
    let bad = doubts.filter(|(name, or)| view.contains_key(*name) == view.contains_key(*or));
    bad.map(|(name, or)| format!("of {name} and {or} are both there, or neither")).collect()
}

fn one(daemon: &Daemon, name: &str, thing: &mut Thing, found: Option<&Found>) -> Vec<String> {
    let there = thing.there.replace(found.is_some());
    thing.or = None;
    let Some(found) = found else {
        return (there == Some(true)).then(|| format!("{name} is lost")).into_iter().collect();
    };
    let mut wrong = Vec::new();
    if there == Some(false) {
        wrong.push(format!("{name} is there again"));
    }
    let mut is = |what: &str, wanted: Option<String>, is: &str| {
        if let Some(wanted) = wanted.filter(|wanted| wanted != is) {
            wrong.push(format!("{name}: {what} is {is:?}, and was acknowledged as {wanted:?}"));
        }
    };
    is("the note", thing.content.note.take(), &found.note);
    thing.content.note = Some(found.note.clone());
    if thing.kind == Kind::Instance {
        let power = thing.running.map(|on| if on { "Running" } else { "Stopped" }.to_owned());
        is("the status", power, &found.status);
        thing.running = Some(found.status == "Running");
        let file = file(daemon, name);
        is("the file", thing.content.file.take(), &file);
        thing.content.file = Some(file);
    }
    wrong.extend(snapshots(name, thing, found));
    wrong
}

fn snapshots(name: &str, thing: &mut Thing, found: &Found) -> Vec<String> {
    let mut wrong = Vec::new();
    for (snapshot, saved) in &mut thing.snapshots {
        let there = found.snapshots.contains(snapshot);
        match (saved.there.replace(there), there) {
            (Some(true), false) => wrong.push(format!("{name}: snapshot {snapshot} is lost")),
            (Some(false), true) => wrong.push(format!("{name}: {snapshot} is there again")),
            _ => {}
        }
    }
    thing.snapshots.retain(|_, saved| saved.there == Some(true));
    let strange = found.snapshots.iter().filter(|one| !thing.snapshots.contains_key(*one));
    wrong.extend(strange.map(|one| format!("{name}: snapshot {one} should not be there")));
    wrong
}

/// What is in an instance's file; empty if there is none.
fn file(daemon: &Daemon, name: &str) -> String {
    let path = format!("/1.0/instances/{name}/files?path=/root/note");
    let reply = daemon.request("GET", &path, "");
    match reply.status {
        200 => reply.body.to_string(),
        404 => String::new(),
        _ => format!("{reply:?}"),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What the daemon says of all of a kind.
fn told(daemon: &Daemon, kind: Kind) -> View {
    let list = daemon.get(&format!("{}?recursion=2", kind.all()));
    let mut view = View::new();
    for one in list.as_array().into_iter().flatten() {
        let (name, note) = (text(&one["name"]), text(&one["config"]["user.note"]));
        if let Some((volume, snapshot)) = name.split_once('/') {
            if let Some(found) = view.get_mut(volume) {
                found.snapshots.insert(snapshot.to_owned());
            }
            continue;
        }
        let snapshots = one["snapshots"].as_array().into_iter().flatten();
        let short = |name: String| name.rsplit('/').next().unwrap_or_default().to_owned();
        let snapshots = snapshots.map(|one| short(text(&one["name"]))).collect();
        view.insert(name, Found { status: text(&one["status"]), note, snapshots });
    }
    view
}

/// The names of all of a kind.
pub(super) fn names(daemon: &Daemon, kind: Kind) -> Vec<String> {
    told(daemon, kind).into_keys().collect()
}

/// What is under way, or not on the disk or in the kernel as the daemon says.
fn unsettled(daemon: &Daemon) -> Vec<String> {
    let operations = daemon.get("/1.0/operations");
    if operations["running"].is_array() {
        return vec![format!("the daemon is at work: {operations}")];
    }
    let (instances, volumes) = (told(daemon, Kind::Instance), told(daemon, Kind::Volume));
    let runs = instances.iter().filter(|(_, found)| found.status != "Stopped");
    let runs: BTreeSet<String> = runs.map(|(name, _)| format!("default_{name}")).collect();
    let mut wrong = Vec::new();
    let mut differ = |what: &str, found: BTreeSet<String>, wanted: &BTreeSet<String>| {
        if found != *wanted {
            wrong.push(format!("{what}: {found:?}, and should be {wanted:?}"));
        }
    };
    let pool = "storage-pools/default";
    let on_disk = |folder: &str| with_snapshots(daemon, &format!("{pool}/{folder}"));
    differ("instances on disk", on_disk("containers"), &all(&instances, ""));
    differ("volumes on disk", on_disk("custom"), &all(&volumes, "default_"));
    differ("processes", lab::running(&daemon.folder()), &runs);
    differ("devlxd", entries(daemon, "devlxd"), &runs);
    let mut monitors = entries(daemon, "run");
    // Of one that stands the way it ended stays.
    monitors.retain(|name| {
        let own = name.trim_start_matches("default_");
        !instances.contains_key(own) || daemon.folder().join("run").join(name).join(SOCKET).exists()
    });
    differ("monitors", monitors, &runs);
    for folder in ["tmp", "trash"].map(|folder| format!("{pool}/{folder}")) {
        differ(&folder, entries(daemon, &folder), &BTreeSet::new());
    }
    for folder in ["cache", "backups/instances", "backups/custom"] {
        differ(folder, entries(daemon, folder), &BTreeSet::new());
    }
    wrong.extend(links(daemon, runs.len()));
    wrong
}

fn links(daemon: &Daemon, wanted: usize) -> Option<String> {
    let links = daemon.netns().links().into_iter().filter(|link| link.starts_with("veth"));
    let found = links.count();
    (found != wanted).then(|| format!("{found} links, and should be {wanted}"))
}

/// Names of things and of their snapshots.
fn all(view: &View, prefix: &str) -> BTreeSet<String> {
    let name = |(name, found): (&String, &Found)| {
        let own = format!("{prefix}{name}");
        let snapshots = found.snapshots.iter().map(|one| format!("{own}/{one}")).collect();
        [vec![own], snapshots].concat()
    };
    view.iter().flat_map(name).collect()
}

fn with_snapshots(daemon: &Daemon, folder: &str) -> BTreeSet<String> {
    let names = entries(daemon, folder);
    let of = |name: &String| {
        let snapshots = entries(daemon, &format!("{folder}/{name}/snapshots")).into_iter();
        let snapshots = snapshots.map(|one| format!("{name}/{one}")).collect();
        [vec![name.clone()], snapshots].concat()
    };
    names.iter().flat_map(of).collect()
}

fn entries(daemon: &Daemon, folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(daemon.folder().join(folder)).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
