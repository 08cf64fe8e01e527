//! How a cluster is with many members, or with many instances: measured, by hand, with `cargo xtask test --scale 50 10000`.
//! What was measured stands in `docs/decisions/cluster.md`.

#![allow(clippy::print_stderr, reason = "it tells what it measured")]

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use lab::{Daemon, cluster::Cluster, field, within};

/// For how long an idle cluster is looked at.
const IDLE: Duration = Duration::from_secs(20);
/// For all to be there.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often what is fast is measured.
const TIMES: usize = 5;

/// So many neighbours a kernel knows, in all its network namespaces together: each of fifty members has 49.
const NEIGHBOURS: [(&str, &str); 3] =
    [("gc_thresh3", "16384"), ("gc_thresh2", "8192"), ("gc_thresh1", "4096")];

/// The kernel knows more neighbours than it usually does, for as long as this is there.
struct Room(Vec<(PathBuf, String)>);

impl Room {
    fn for_neighbours() -> Room {
        let before = NEIGHBOURS.iter().map(|(name, number)| {
            let path = Path::new("/proc/sys/net/ipv4/neigh/default").join(name);
            let before = fs::read_to_string(&path).unwrap_or_default();
            fs::write(&path, number).unwrap_or_else(|e| panic!("cannot write {path:?}: {e}"));
            (path, before)
        });
        Room(before.collect())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        for (path, before) in self.0.iter().rev() {
            let _ = fs::write(path, before);
        }
    }
}

/// How many, if somebody asks.
pub(crate) fn asked(name: &str) -> Option<usize> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|e| panic!("{name}={text}: {e}")))
}

fn rss(daemon: &Daemon) -> u64 {
    field(daemon, "status", "VmRSS:") / 1024
}

/// Processor time of a daemon, in hundredths of a second.
fn busy(daemon: &Daemon) -> u64 {
    let pid = daemon.pid().unwrap_or_else(|| panic!("it does not run"));
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    rest.split_whitespace().skip(11).take(2).filter_map(|text| text.parse::<u64>().ok()).sum()
}

/// The middle of some times, in milliseconds.
fn middle(mut work: impl FnMut()) -> f64 {
    let mut times: Vec<_> = (0..TIMES)
        .map(|_| {
            let began = Instant::now();
            work();
            began.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[TIMES / 2]
}

fn idle(cluster: &Cluster, which: &[usize]) {
    let all: Vec<&Daemon> = which.iter().map(|member| &cluster.members[*member]).collect();
    let before: Vec<_> =
        all.iter().map(|one| (busy(one), field(one, "io", "write_bytes:"))).collect();
    thread::sleep(IDLE);
    for (number, (one, before)) in all.iter().zip(before).enumerate() {
        let (time, written) = (busy(one) - before.0, field(one, "io", "write_bytes:") - before.1);
        eprintln!(
            "  m{}: idle for {IDLE:?}: {} MiB resident, {} ms of a processor a second, {} KiB written",
            which[number] + 1,
            rss(one),
            time * 10 / IDLE.as_secs(),
            written / 1024,
        );
    }
}

fn listed(daemon: &Daemon) {
    let list = middle(|| drop(daemon.cli(["cluster", "list"]).ok()));
    let asked = middle(|| drop(daemon.get("/1.0/cluster/members?recursion=1")));
    eprintln!("  cluster list: {list:.0} ms; its request {asked:.0} ms");
}

#[test]
fn many_members() {
    let Some(count) = asked("SCALE_MEMBERS") else {
        return lab::skip("cargo xtask test --scale MEMBERS INSTANCES measures it");
    };
    let _room = Room::for_neighbours();
    let Some(cluster) = Cluster::alone(count) else { return };
    cluster.members[0].cli(["cluster", "enable", "m1", "--address", "10.9.0.1:8443"]).ok();
    let mut last = Duration::ZERO;
    let began = Instant::now();
    for member in 1..count {
        let one = Instant::now();
        cluster.join(member);
        last = one.elapsed();
        if [2, 9, count - 1].contains(&member) {
            eprintln!("  the {}. joins in {:.2} s", member + 1, last.as_secs_f32());
        }
    }
    eprintln!(
        "{count} members: joined in {:.1} s, the last in {last:.2?}",
        began.elapsed().as_secs_f32()
    );
    for member in [0, count - 1] {
        within(PATIENCE, "all online", || {
            let all = cluster.members[member].get("/1.0/cluster/members?recursion=1");
            let online = all.as_array()?.iter().filter(|one| one["status"] == "Online").count();
            (online == count).then_some(())
        });
    }
    thread::sleep(Duration::from_secs(10));
    idle(&cluster, &[0, 1, count / 2, count - 1]);
    listed(&cluster.members[0]);
    listed(&cluster.members[count - 1]);
    let last = &cluster.members[count - 1];
    let wrote =
        middle(|| drop(last.lxc(["config", "set", &format!("user.t={:?}", Instant::now())]).ok()));
    eprintln!("  a change of the server's options on the last: {wrote:.0} ms");
}

#[test]
fn many_instances() {
    let Some(count) = asked("SCALE_INSTANCES") else {
        return lab::skip("cargo xtask test --scale MEMBERS INSTANCES measures it");
    };
    let Some(mut cluster) = Cluster::of(3) else { return };
    let first = &cluster.members[0];
    first.lxc(["storage", "create", "default", "dir"]).ok();
    let root = ["profile", "device", "add", "default", "root", "disk", "path=/", "pool=default"];
    first.lxc(root).ok();
    first.cli(["image", "build", "busybox", "--alias", "busybox"]).ok();
    first.lxc(["init", "busybox", "c", "--target", "m1"]).ok();
    let first = &mut cluster.members[0];
    first.stop();
    let began = Instant::now();
    assert!(first.try_launch(&[("MICROCLOUD_COPIES", format!("c {count}"))]), "{}", first.tail());
    for member in [0, 2] {
        within(PATIENCE, "all rows", || {
            let one = cluster.members[member].try_request(
                "GET",
                &format!("/1.0/instances/c-{count}"),
                &[],
                b"",
            );
            (one.ok()?.status == 200).then_some(())
        });
    }
    eprintln!("{count} rows: there after {:.1} s", began.elapsed().as_secs_f32());
    let first = &cluster.members[0];
    let names = middle(|| drop(first.get("/1.0/instances")));
    let rows = middle(|| drop(first.get("/1.0/instances?recursion=1")));
    let full = middle(|| drop(first.get("/1.0/instances?recursion=2")));
    eprintln!(
        "  GET /1.0/instances: {names:.0} ms, recursion=1 {rows:.0} ms, recursion=2 {full:.0} ms"
    );
    let list = middle(|| drop(first.cli(["list", "--format", "csv"]).ok()));
    let stock = middle(|| drop(first.lxc(["list", "--format", "csv"]).ok()));
    let one = middle(|| drop(first.get("/1.0/instances/c-1")));
    eprintln!("  list {list:.0} ms, of the stock client {stock:.0} ms; one instance {one:.1} ms");
    let set = middle(|| {
        drop(first.lxc(["config", "set", "c-1", &format!("user.t={:?}", Instant::now())]).ok())
    });
    let began = Instant::now();
    first.lxc(["init", "busybox", "one-more"]).ok();
    let made = began.elapsed().as_millis();
    eprintln!("  config set {set:.0} ms; one more is made in {made} ms");
    idle(&cluster, &[0, 1, 2]);
    let database = size(&first.folder().join("database"));
    eprintln!("  the database: {} MiB", database >> 20);
    cluster.members.iter_mut().for_each(Daemon::abandon);
}

fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|found| found.len()).sum()
}
