//! Many clients do many things to the same few instances, while the daemon is killed now and then.
//! Whatever came of it, each instance is whole or gone, and everything can be deleted.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use lab::{Client, Daemon, Dice, until};

const NAMES: [&str; 3] = ["a", "b", "c"];

/// What a client does; most of it is refused most of the time.
const DEEDS: [&[&str]; 12] = [
    &["launch", "local:busybox", "NAME"],
    &["create", "local:busybox", "NAME"],
    &["launch", "local:busybox", "NAME", "--ephemeral"],
    &["start", "NAME"],
    &["stop", "NAME", "--force"],
    &["restart", "NAME", "--force"],
    &["pause", "NAME"],
    &["resume", "NAME"],
    &["delete", "NAME"],
    &["delete", "NAME", "--force"],
    &["config", "set", "NAME", "limits.memory=64MiB"],
    &["exec", "NAME", "--", "true"],
];

/// Lets four clients do as they like for a time; says what went wrong that never may.
fn storm(daemon: &Daemon, seed: u64, time: Duration, stop: &AtomicBool) -> Vec<String> {
    let end = Instant::now() + time;
    thread::scope(|scope| {
        let threads: Vec<_> = (1..=4)
            .map(|number| {
                scope.spawn(move || client(daemon, Dice::new(seed * 1000 + number), end, stop))
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
    })
}

fn client(daemon: &Daemon, mut dice: Dice, end: Instant, stop: &AtomicBool) -> Vec<String> {
    let mut wrong = Vec::new();
    while Instant::now() < end && !stop.load(Ordering::Relaxed) {
        let name = NAMES[dice.below(NAMES.len())];
        let deed = DEEDS[dice.below(DEEDS.len())];
        let words: Vec<_> =
            deed.iter().map(|word| if *word == "NAME" { name } else { word }).collect();
        let run = daemon.run(Client::Cli, &words);
        // What is refused is refused for a reason that a user understands.
        let internal = ["panicked", "broke off", "os error", "constraint", "sqlite"];
        if internal.iter().any(|word| run.stderr.to_lowercase().contains(word)) {
            wrong.push(run.to_string());
        }
    }
    wrong
}

/// Each instance runs, stands or is frozen, and goes when it is told to. One that was just ending
/// when the daemon was killed may take a moment to be seen as stopped.
fn settle(daemon: &Daemon) {
    for name in NAMES {
        until(&format!("{name} is whole or gone"), || match daemon.status(name).as_str() {
            "" => Some(()),
            "Running" => (daemon.sh(name, "true").status == 0).then_some(()),
            "Frozen" => (daemon.cli(["resume", name]).status == 0).then_some(()),
            "Stopped" => (daemon.cli(["start", name]).status == 0).then_some(()),
            other => panic!("{name} is {other}"),
        });
        if !daemon.status(name).is_empty() {
            daemon.cli(["delete", name, "--force"]).ok();
        }
    }
    daemon.no_instance_left();
}

#[test]
fn a_storm_of_clients() {
    let Some(daemon) = Daemon::ready() else { return };
    let wrong = storm(&daemon, 7, Duration::from_secs(6), &AtomicBool::new(false));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    daemon.await_idle();
    settle(&daemon);
}

#[test]
fn a_storm_while_the_daemon_is_killed() {
    let Some(mut daemon) = Daemon::ready() else { return };
    for seed in 1..=8 {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| storm(&daemon, seed, Duration::from_secs(10), &stop));
            thread::sleep(Duration::from_millis(300 + 150 * seed));
            stop.store(true, Ordering::Relaxed);
            daemon.kill9_now();
        });
        daemon.kill9();
        daemon.launch();
        daemon.await_idle();
        settle(&daemon);
    }
}
