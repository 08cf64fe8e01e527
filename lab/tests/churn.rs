//! Instances come and go in waves, and whatever is left of each is counted: by hand, with `cargo xtask test --churn 200`.
//!
//! What can be named (files, mounts, links, control groups, processes, rows) must be as after the first wave, which warms
//! up. Memory, open files and the size of the database go up and down; they must not go up for ever.

#![allow(clippy::print_stderr, reason = "it tells what it counted")]

use std::{
    thread,
    time::{Duration, Instant},
};

use lab::{Census, Client, Daemon};

use crate::scale::asked;

/// Waves, after the first.
const WAVES: usize = 10;
/// Clients at the same time.
const CLIENTS: usize = 4;
/// How long something may take to go after the request that deletes it was answered.
const GRACE: Duration = Duration::from_secs(10);
/// What a daemon may have more of in all of the last waves than it ever had in the first half: KiB of memory, and as much
/// more an instance of a wave (a heap settles slowly); files; KiB of its database.
const SLACK: [u64; 3] = [512, 4, 1024];
const SLACK_EACH: u64 = 12;

#[test]
fn what_comes_and_goes_leaves_nothing() {
    let Some(count) = asked("CHURN_INSTANCES") else {
        return lab::skip("cargo xtask test --churn [INSTANCES] counts it");
    };
    let Some(daemon) = Daemon::ready() else { return };
    let size = count.div_ceil(WAVES);
    wave(&daemon, size);
    let first = settled(&daemon, None);
    eprintln!("after the first {size}: {}", words(&first));
    let mut all = Vec::new();
    for number in 1..=WAVES {
        let begun = Instant::now();
        wave(&daemon, size);
        let took = begun.elapsed().as_secs_f32();
        let census = settled(&daemon, Some(&first));
        eprintln!("after {} more ({took:.1} s a wave): {}", number * size, words(&census));
        let left = census.differences(&first);
        assert!(left.is_empty(), "left of wave {number}:\n  {}", left.join("\n  "));
        all.push(census);
    }
    let grown = grown(&all, size);
    assert!(grown.is_empty(), "{} grew until the end", grown.join(", "));
    let more = all[WAVES - 1].memory as i64 - first.memory as i64;
    eprintln!("{} instances came and went: {more} KiB more memory, nothing is left", count + size);
}

fn words(census: &Census) -> String {
    let kinds = ["file", "mount", "link", "cgroup", "process"];
    let things: Vec<_> =
        kinds.iter().map(|kind| format!("{} {kind}", census.count(kind))).collect();
    let rows: u64 = census.rows.values().sum();
    format!(
        "{} KiB resident, {} open, database {} KiB, {rows} rows, {}",
        census.memory,
        census.open,
        census.database,
        things.join(", ")
    )
}

/// What had more in each of the last waves than in any of the first half.
fn grown(all: &[Census], size: usize) -> Vec<String> {
    let counts = |census: &Census| [census.memory, census.open, census.database];
    let (before, last) = (&all[..WAVES / 2], &all[WAVES - 3..]);
    let [memory, open, database] = SLACK;
    let slack = [memory + SLACK_EACH * size as u64, open, database];
    let grows = |at: usize| {
        let most = before.iter().map(|census| counts(census)[at]).max();
        last.iter().map(|census| counts(census)[at]).min() > most.map(|most| most + slack[at])
    };
    let names = ["memory", "open files", "the database"].into_iter().enumerate();
    names.filter(|(at, _)| grows(*at)).map(|(_, name)| name.to_owned()).collect()
}

/// The census as soon as it is like an earlier one, or after a while.
fn settled(daemon: &Daemon, like: Option<&Census>) -> Census {
    daemon.await_idle();
    let end = Instant::now() + GRACE;
    loop {
        let census = Census::of(daemon);
        let same = like.map_or(0, |like| census.differences(like).len()) == 0;
        if same && census.count("process") == 0 || Instant::now() > end {
            return census;
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// That many instances are made, started, used, stopped and deleted; all of them are there at the same time.
fn wave(daemon: &Daemon, size: usize) {
    let each = |work: &(dyn Fn(&str) + Sync)| {
        thread::scope(|scope| {
            for client in 0..CLIENTS {
                scope.spawn(move || {
                    (client..size).step_by(CLIENTS).for_each(|one| work(&format!("c{one}")));
                });
            }
        });
    };
    let run = |words: &[&str]| drop(daemon.run(Client::Cli, words).ok());
    each(&|name| {
        run(&["create", "local:busybox", name]);
        run(&["start", name]);
        run(&["exec", name, "--", "true"]);
        run(&["snapshot", name, "s"]);
    });
    each(&|name| {
        run(&["stop", name, "--force"]);
        run(&["delete", name]);
    });
}
