//! A cluster under load while its members are killed, frozen, cut off, filled up and lose their power, their disks are slow
//! and their clocks jump, by a seed:
//!
//! ```text
//! load     create, start, stop, note, snapshot, move, delete; a counter that all raise ─┐
//! faults   one after the other, of any member ───────────────────────────────────────────┤─> healed ─> verdict
//! watch    no instance has processes at two members, at no time ────────────────────────┘
//! ```
//! The verdict: the counter's history is that of one register (`history.rs`), nothing that was acknowledged is lost, all members agree, each has on its disk just what it should, and
//! everything can be deleted. `cargo xtask test --faults 7 200` does it with 200 seeds, on one cluster;
//! `FAULTS_STORY=1` tells each request.

#![allow(clippy::print_stderr, reason = "rounds of this test tell people what they found")]

mod breaks;
pub(crate) mod counter;
pub(crate) mod history;
mod load;
mod upgrade;
mod verdict;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use lab::{Dice, Disk, cluster::Cluster};

use load::{Load, Story};

const MEMBERS: usize = 3;
/// What comes from others leaves 256 MiB of a member's disk free. It can be made to stand still.
const DISK: Disk = Disk::Ext4(640);
/// How long a run's load lasts.
const LOAD: Duration = Duration::from_secs(12);
const WORKERS: u64 = 3;
/// One more, that does nothing but count: the more it does, the more would be found in its history.
const COUNTS: u64 = 0;

#[test]
fn nothing_is_lost_whatever_breaks() {
    let [seed, runs] = asked();
    let Some(mut cluster) = Cluster::on_disks(MEMBERS, DISK) else { return };
    verdict::furnish(&cluster);
    for seed in seed..seed + runs {
        run(&mut cluster, seed);
    }
}

#[test]
fn nothing_is_lost_while_members_are_upgraded() {
    let Some(before) = upgrade::before() else {
        return lab::skip("cargo xtask test --upgrade REVISION has another version to begin with");
    };
    let Some(mut cluster) = Cluster::running(before, MEMBERS) else { return };
    verdict::furnish(&cluster);
    let still = upgrade::settle(&cluster);
    let (done, known, mut wrong) = under_load(&mut cluster, 1, upgrade::all);
    wrong.extend(upgrade::stopped(&cluster, &still));
    upgrade::clear(&cluster);
    wrong.extend(verdict::judge(&cluster, &known));
    wrong.extend(verdict::clear(&cluster));
    tell("upgrade", &done, &known, &wrong);
}

/// The first seed, and how many: one, unless somebody asks for more.
fn asked() -> [u64; 2] {
    ["FAULTS_SEED", "FAULTS_RUNS"].map(|name| match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|e| panic!("{name}={text}: {e}")),
        Err(_) => 1,
    })
}

fn run(cluster: &mut Cluster, seed: u64) {
    let (done, known, mut wrong) = under_load(cluster, seed, |cluster| {
        let (begun, mut dice) = (Instant::now(), Dice::new(seed));
        let mut done = Vec::new();
        while begun.elapsed() < LOAD {
            done.push(breaks::one(cluster, &mut dice));
        }
        done
    });
    wrong.extend(verdict::judge(cluster, &known));
    wrong.extend(verdict::clear(cluster));
    tell(&format!("seed {seed}"), &done, &known, &wrong);
}

/// Does something to the cluster under load; what that was, what the load knows, and what ran twice.
fn under_load(
    cluster: &mut Cluster,
    seed: u64,
    work: impl FnOnce(&mut Cluster) -> Vec<String>,
) -> (Vec<String>, Story, Vec<String>) {
    let folders: Vec<_> = cluster.members.iter().map(lab::Daemon::folder).collect();
    let (enough, over) = (AtomicBool::new(false), AtomicBool::new(false));
    let (mut done, mut stories, mut twice) = (Vec::new(), Vec::new(), BTreeSet::new());
    thread::scope(|scope| {
        let watch = scope.spawn(|| watch(&folders, &over));
        let begun = Instant::now();
        let workers: Vec<_> = (0..=WORKERS)
            .map(|worker| (worker, Load::new(seed, worker, &folders, begun)))
            .map(|(worker, mut load)| {
                let enough = &enough;
                scope.spawn(move || {
                    while !enough.load(Ordering::Relaxed) {
                        match worker {
                            COUNTS => load.count(),
                            _ => load.step(),
                        }
                    }
                    load.story
                })
            })
            .collect();
        done = work(cluster);
        enough.store(true, Ordering::Relaxed);
        stories = workers.into_iter().map(join).collect::<Vec<Story>>();
        verdict::healed(cluster);
        over.store(true, Ordering::Relaxed);
        twice = join(watch);
    });
    let twice = twice.into_iter().map(|name| format!("{name} ran twice")).collect();
    (done, Story::all(stories), twice)
}

/// Says what came of it; fails if anything is wrong.
fn tell(what: &str, done: &[String], known: &Story, wrong: &[String]) {
    eprintln!("{what}: {}; {}", known.words(), done.join(", "));
    if std::env::var_os("FAULTS_STORY").is_some() {
        eprintln!("  {}", known.log.join("\n  "));
    }
    assert!(
        wrong.is_empty(),
        "{what}:\n  {}\nwhat was done:\n  {}",
        wrong.join("\n  "),
        known.log.join("\n  ")
    );
}

fn join<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Looks all the while; the instances that had processes at two members at the same time.
fn watch(folders: &[PathBuf], over: &AtomicBool) -> BTreeSet<String> {
    let mut twice = BTreeSet::new();
    while !over.load(Ordering::Relaxed) {
        let mut at: BTreeMap<String, usize> = BTreeMap::new();
        for name in folders.iter().flat_map(|folder| lab::running(folder)) {
            *at.entry(name).or_default() += 1;
        }
        // What was seen first may have ended since: looked at once more.
        for name in at.into_iter().filter(|(_, times)| *times > 1).map(|(name, _)| name) {
            let still = folders.iter().rev().filter(|folder| lab::running(folder).contains(&name));
            if still.count() > 1 {
                twice.insert(name);
            }
        }
        thread::sleep(Duration::from_millis(50));
    }
    twice
}
