//! What must be gone once everything was deleted.

use std::{
    collections::BTreeSet,
    fs,
    os::linux::fs::MetadataExt,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::Daemon;

/// How long something may take to go after the request that deletes it was answered.
const GRACE: Duration = Duration::from_secs(3);

const CGROUPS: &str = "/sys/fs/cgroup";

/// Deletes everything through the API, ends the daemon, and tells what is left.
pub(crate) fn find(daemon: &mut Daemon) -> Vec<String> {
    let mut left = Vec::new();
    if daemon.pid().is_none() {
        left.push(String::from("the daemon does not run at the end of the test"));
        return left;
    }
    delete_all(daemon, &mut left);
    left.extend(settled(|| [files(daemon), outside(daemon, true)].concat()));
    match daemon.try_stop() {
        Ok(status) if !status.success() => left.push(format!("the daemon ended with {status}")),
        Ok(_) => left.extend(settled(|| outside(daemon, false))),
        Err(why) => left.push(why),
    }
    let log = daemon.log();
    let panics = log.lines().filter(|line| line.contains("panicked at"));
    left.extend(panics.map(|line| format!("log: {line}")));
    left.dedup();
    left
}

/// What is left of instances while the daemon goes on; none of them may be there any more.
pub(crate) fn of_instances(daemon: &Daemon) -> Vec<String> {
    settled(|| {
        let mut left = outside(daemon, true);
        left.retain(|what| !what.starts_with("network"));
        let pools = entries(&daemon.folder().join("storage-pools"));
        let kept = ["containers", "tmp", "trash"];
        let folders = pools.iter().flat_map(|pool| kept.map(|kind| pool.join(kind)));
        let folders = folders.chain([daemon.folder().join("run")]);
        left.extend(folders.flat_map(|folder| entries(&folder)).map(|path| shown(&path)));
        left.extend(rows(daemon));
        left
    })
}

/// What the daemon itself still tells of instances: leases and volumes.
fn rows(daemon: &Daemon) -> Vec<String> {
    let list = |path: &str| {
        let list = daemon.request("GET", path, "").body["metadata"].take();
        list.as_array().cloned().unwrap_or_default()
    };
    let mut left = Vec::new();
    for network in list("/1.0/networks?recursion=1").iter().filter(|net| net["managed"] == true) {
        let name = network["name"].as_str().unwrap_or_default();
        let leases = list(&format!("/1.0/networks/{name}/leases")).into_iter();
        let leases = leases.filter(|lease| lease["type"] != "gateway");
        left.extend(leases.map(|lease| format!("lease {lease}")));
    }
    for pool in names(daemon, "/1.0/storage-pools") {
        let volumes = list(&format!("/1.0/storage-pools/{pool}/volumes?recursion=1")).into_iter();
        let volumes = volumes.filter(|volume| volume["type"] == "container");
        left.extend(volumes.map(|volume| format!("volume {volume}")));
    }
    left
}

/// Looks until nothing is left, for a while.
fn settled(look: impl Fn() -> Vec<String>) -> Vec<String> {
    let end = Instant::now() + GRACE;
    loop {
        let left = look();
        if left.is_empty() || Instant::now() > end {
            return left;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn delete_all(daemon: &Daemon, left: &mut Vec<String>) {
    let projects = names(daemon, "/1.0/projects");
    for kind in ["instances", "images", "profiles", "networks"] {
        for project in &projects {
            for name in names(daemon, &format!("/1.0/{kind}?project={project}")) {
                let path = format!("/1.0/{kind}/{name}?project={project}");
                delete(daemon, kind, &path, left);
            }
        }
    }
    for pool in names(daemon, "/1.0/storage-pools") {
        let buckets = format!("/1.0/storage-pools/{pool}/buckets");
        for project in &projects {
            for name in names(daemon, &format!("{buckets}?project={project}")) {
                delete(daemon, "buckets", &format!("{buckets}/{name}?project={project}"), left);
            }
            let path = format!("/1.0/storage-pools/{pool}/volumes/custom");
            for name in names(daemon, &format!("{path}?project={project}")) {
                delete(daemon, "volumes", &format!("{path}/{name}?project={project}"), left);
            }
        }
        delete(daemon, "pools", &format!("/1.0/storage-pools/{pool}"), left);
    }
    for project in projects.iter().filter(|name| *name != "default") {
        delete(daemon, "projects", &format!("/1.0/projects/{project}"), left);
    }
}

fn delete(daemon: &Daemon, kind: &str, path: &str, left: &mut Vec<String>) {
    match kind {
        "instances" => {
            let state = path.replace('?', "/state?");
            let force = json!({ "action": "stop", "force": true, "timeout": 10 }).to_string();
            // It may be stopped already.
            drop(done(daemon, "PUT", &state, &force));
            let unprotect = json!({ "config": { "security.protection.delete": "false" } });
            drop(done(daemon, "PATCH", path, &unprotect.to_string()));
        }
        "profiles" if path.contains("/default?") => {
            let empty = json!({ "config": {}, "devices": {}, "description": "" }).to_string();
            return drop(done(daemon, "PUT", path, &empty));
        }
        // Links of the machine are listed too.
        "networks" if daemon.request("GET", path, "").body["metadata"]["managed"] != true => return,
        _ => {}
    }
    let done = done(daemon, "DELETE", path, "");
    // An ephemeral instance is about to go by itself.
    let there = || (daemon.request("GET", path, "").status != 404).then(|| path.to_owned());
    if !settled(|| there().into_iter().collect()).is_empty() {
        left.push(format!("cannot delete {path}: {}", done.err().unwrap_or_default()));
    }
}

/// Sends a request and waits for its operation.
fn done(daemon: &Daemon, method: &str, path: &str, body: &str) -> Result<(), String> {
    crate::ask(&daemon.folder().join("unix.socket"), method, path, body).done()
}

fn names(daemon: &Daemon, path: &str) -> Vec<String> {
    let list = daemon.request("GET", path, "").body["metadata"].take();
    let urls = list.as_array().into_iter().flatten().filter_map(Value::as_str);
    let name = |url: &str| {
        let path = url.split('?').next().unwrap_or(url);
        path.rsplit('/').next().unwrap_or(path).to_owned()
    };
    urls.map(name).collect()
}

/// Folders of the state that hold only what somebody made.
fn files(daemon: &Daemon) -> Vec<String> {
    let folders = [
        "backups/instances",
        "cache",
        "devlxd",
        "images",
        "logs",
        "networks",
        "run",
        "storage-pools",
    ];
    let folders = folders.map(|name| daemon.folder().join(name));
    folders.iter().flat_map(|folder| entries(folder)).map(|path| shown(&path)).collect()
}

fn shown(path: &Path) -> String {
    format!("file {}", path.display())
}

/// What lies outside the state folder.
pub(crate) fn outside(daemon: &Daemon, runs: bool) -> Vec<String> {
    let mut left = mounts(daemon);
    left.extend(cgroups(daemon, runs).into_iter().map(|path| format!("cgroup {}", path.display())));
    left.extend(processes(daemon).into_iter().map(|pid| {
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        format!("process {pid}: {}", String::from_utf8_lossy(&words).replace('\0', " "))
    }));
    if let Some(netns) = daemon.own_netns() {
        let links =
            netns.links().into_iter().filter(|name| name != "lo" && !name.starts_with("uplink"));
        left.extend(links.map(|name| match name.starts_with("veth") {
            true => format!("link {name}"),
            false => format!("network link {name}"),
        }));
        let tables = netns.run(&["nft", "list", "tables"]).shown();
        left.extend(tables.lines().map(|line| format!("network nft {line}")));
    }
    left
}

fn mounts(daemon: &Daemon) -> Vec<String> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let folder = daemon.folder().display().to_string();
    let places = table.lines().filter_map(|line| line.split(' ').nth(4));
    let below = places
        .filter(|place| place.starts_with(&folder) && !(daemon.has_disk() && **place == folder));
    below.map(|place| format!("mount {place}")).collect()
}

fn tag(daemon: &Daemon) -> String {
    tag_of(&daemon.folder())
}

/// A daemon's mark on what it has outside its folder.
fn tag_of(folder: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let digest = Sha256::digest(folder.as_os_str().as_bytes());
    digest[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The instances (`<project>_<name>`) that have a process, of the daemon with that state folder.
pub fn running(folder: &Path) -> BTreeSet<String> {
    let tag = tag_of(folder);
    let roots = entries(Path::new(CGROUPS)).into_iter().chain([PathBuf::from(CGROUPS)]);
    let groups = roots.flat_map(|root| entries(&root.join("microcloud.payload").join(&tag)));
    let busy = groups.filter(|group| has_process(group));
    busy.filter_map(|group| {
        // Its last part is the number of the start.
        let name = group.file_name()?.to_str()?.rsplit_once('-')?.0;
        Some(name.to_owned())
    })
    .collect()
}

fn has_process(group: &Path) -> bool {
    let own = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    !own.trim().is_empty()
        || entries(group).iter().any(|below| below.is_dir() && has_process(below))
}

/// Control groups of the daemon. While it runs it may keep those that hold no instance.
fn cgroups(daemon: &Daemon, runs: bool) -> Vec<PathBuf> {
    let tag = tag(daemon);
    let mut roots = vec![PathBuf::from(CGROUPS)];
    roots.extend(entries(Path::new(CGROUPS)));
    let mut found = Vec::new();
    for root in roots {
        for kind in ["microcloud.payload", "microcloud.monitor"] {
            let own = root.join(kind).join(&tag);
            if runs {
                found.extend(entries(&own).into_iter().filter(|path| path.is_dir()));
            } else if own.is_dir() {
                found.push(own);
            }
        }
    }
    found
}

/// Processes that belong to the daemon's instances: by control group, by network namespace, by
/// their words.
fn processes(daemon: &Daemon) -> Vec<u32> {
    let tag = format!("/{}", tag(daemon));
    let folder = daemon.folder().display().to_string();
    let netns = daemon.own_netns().and_then(|netns| inode(&netns.path()));
    let known = [daemon.pid(), daemon.own_netns().map(|netns| netns.holder())];
    let pids = entries(Path::new("/proc")).into_iter();
    let pids = pids.filter_map(|path| path.file_name()?.to_str()?.parse::<u32>().ok());
    let ours = |pid: &u32| {
        let file = |name: &str| {
            let bytes = fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        if waits_for_pid_1(&file("stat")) {
            return false;
        }
        let there = netns.is_some() && inode(Path::new(&format!("/proc/{pid}/ns/net"))) == netns;
        there || file("cgroup").contains(&tag) || file("cmdline").contains(&folder)
    };
    pids.filter(|pid| !known.contains(&Some(*pid))).filter(ours).collect()
}

/// Whether it has ended and the machine's PID 1 has yet to take note.
fn waits_for_pid_1(stat: &str) -> bool {
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with("Z 1 "))
}

fn inode(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|meta| meta.st_ino())
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let read = fs::read_dir(folder).into_iter().flatten();
    read.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect()
}

/// Ends the daemon and all that its instances run, at once.
pub(crate) fn kill_all(daemon: &mut Daemon) {
    daemon.kill9();
    for _ in 0..50 {
        let pids = processes(daemon);
        for pid in pids.iter().filter_map(|pid| Pid::from_raw(i32::try_from(*pid).ok()?)) {
            // It may just have ended.
            let _ = kill_process(pid, Signal::KILL);
        }
        if pids.is_empty() {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Removes whatever is left, without asking the daemon.
pub(crate) fn force(daemon: &mut Daemon) {
    kill_all(daemon);
    for group in cgroups(daemon, false) {
        remove_group(&group);
    }
    let mut places = mounts(daemon);
    if daemon.has_disk() {
        places.insert(0, format!("mount {}", daemon.folder().display()));
    }
    for place in places.iter().rev().filter_map(|line| line.strip_prefix("mount ")) {
        drop(crate::host(&["umount", "--lazy", place]));
    }
}

/// Control groups go from the leaves up.
fn remove_group(group: &Path) {
    for below in entries(group).into_iter().filter(|path| path.is_dir()) {
        remove_group(&below);
    }
    // One that is busy stays; the test has failed already.
    drop(fs::remove_dir(group));
}
