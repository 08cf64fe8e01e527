//! One daemon under load that is killed at random moments, for minutes, by a seed:
//!
//! ```text
//! load     instances and volumes: make, start, stop, note, push, snapshot, restore, copy, rename, delete ─┐
//! kills    SIGKILL, once or a few times, also while it starts ────────────────────────────────────────────┴─> settled ─> verdict
//! ```
//! That is a round; the next one goes on with what there is. The verdict: each acknowledged change is there, nothing else
//! is, and what the disk has is what the daemon says. At the end everything can be deleted, and nothing is left.
//! `cargo xtask test --soak 10 7` does it for ten minutes from seed 7; `storm.rs` is its like for the suite.

#![allow(clippy::print_stderr, reason = "rounds of this test tell people what they found")]

mod load;
mod thing;
mod verdict;

use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use lab::{Census, Daemon, Dice};

use crate::{faults::counter, scale::asked};
use load::Load;

const WORKERS: usize = 4;
/// Kills of a round, at most.
const KILLS: usize = 3;

#[test]
fn nothing_is_lost_in_a_daemon_that_is_killed() {
    let Some(minutes) = asked("SOAK_MINUTES") else {
        return lab::skip("cargo xtask test --soak [MINUTES [SEED]] runs it");
    };
    let seed = asked("SOAK_SEED").unwrap_or(1);
    let Some(mut daemon) = Daemon::ready() else { return };
    counter::make(&daemon);
    let before = Census::of(&daemon);
    load::furnish(&daemon, WORKERS);
    soak(&mut daemon, seed as u64, Duration::from_secs(60 * minutes as u64));
    load::clear(&daemon);
    daemon.no_instance_left();
    let left = verdict::awaited(|| Census::of(&daemon).differences(&before));
    assert!(left.is_empty(), "not as before:\n  {}", left.join("\n  "));
}

fn soak(daemon: &mut Daemon, seed: u64, time: Duration) {
    let (begun, mut dice) = (Instant::now(), Dice::new(seed));
    let mut loads: Vec<Load> =
        (1..=WORKERS).map(|worker| Load::new(seed, worker, daemon.folder())).collect();
    let (mut rounds, mut kills) = (0, 0);
    while begun.elapsed() < time {
        let log = round(daemon, &mut loads, &mut dice, begun);
        let wrong = verdict::judge(daemon, &mut loads);
        let words = format!("seed {seed}, round {rounds}, killed {}", log.join(", "));
        if !wrong.is_empty() {
            let mut story: Vec<_> = loads.iter().flat_map(|load| load.log.clone()).collect();
            story.sort();
            panic!("{words}:\n  {}\nwhat was done:\n  {}", wrong.join("\n  "), story.join("\n  "));
        }
        loads.iter_mut().for_each(Load::forget);
        (rounds, kills) = (rounds + 1, kills + log.len());
        if rounds % 10 == 0 {
            eprintln!("{:.0} s: {}", begun.elapsed().as_secs_f32(), told(&loads, rounds, kills));
        }
    }
    eprintln!("seed {seed}, {:.0?}: {}: all well", begun.elapsed(), told(&loads, rounds, kills));
}

fn told(loads: &[Load], rounds: usize, kills: usize) -> String {
    let [done, refused, unknown] =
        [0, 1, 2].map(|which| loads.iter().map(|load| load.counts[which]).sum::<u32>());
    let things: usize = loads.iter().map(|load| load.things.len()).sum();
    format!(
        "{rounds} rounds, {kills} kills; {done} acknowledged, {refused} refused, {unknown} in doubt; {things} things"
    )
}

/// Lets the workers work while the daemon is killed; says when that was.
fn round(daemon: &mut Daemon, loads: &mut [Load], dice: &mut Dice, begun: Instant) -> Vec<String> {
    let (enough, mut log) = (AtomicBool::new(false), Vec::new());
    thread::scope(|scope| {
        // Workers end even if the daemon cannot be started any more.
        let _end = End(&enough);
        for load in loads {
            let enough = &enough;
            scope.spawn(move || {
                while !enough.load(Ordering::Relaxed) {
                    load.step(begun);
                }
            });
        }
        for _ in 0..=dice.below(KILLS) {
            log.push(kill(daemon, dice, begun));
        }
    });
    log
}

struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Kills it once, after a while or as it starts, and starts it again.
fn kill(daemon: &mut Daemon, dice: &mut Dice, begun: Instant) -> String {
    thread::sleep(Duration::from_millis(dice.below(3000) as u64));
    let at = begun.elapsed();
    daemon.kill9();
    let mut words = format!("{:06.2}", at.as_secs_f32());
    if dice.below(4) == 0 {
        let after = Duration::from_millis(dice.below(600) as u64);
        daemon.kill9_at_start(after);
        words += &format!(" and {after:?} after its start");
    }
    thread::sleep(Duration::from_millis(dice.below(200) as u64));
    daemon.launch();
    words
}

/// The daemon's socket.
fn socket(folder: &std::path::Path) -> PathBuf {
    folder.join("unix.socket")
}
