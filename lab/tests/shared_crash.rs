//! A machine that runs moves within a shared pool, and a daemon dies after each write of its journal: those of the task
//! `instance-land` at the member where it comes to, and those of `instance-depart` where it comes from.
#![allow(clippy::print_stderr, reason = "a test that tells people what became of each move")]

use std::time::Duration;

use lab::{Client, Daemon, cluster::Cluster, within};

use crate::shared_machines::{
    count, counting, forget_image, mark, marked, members, place, runs, sh,
};

/// Writes of a move at one end: it begins, each of its steps is done, it ends.
const FEWEST: u32 = 5;
/// More than any has.
const MOST: u32 = 20;
/// For a move to come to its end, one way or the other.
const SETTLED: Duration = Duration::from_secs(120);

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Target,
    Source,
}

/// What does not change as long as it was not started anew.
fn boot(daemon: &Daemon) -> String {
    sh(daemon, "cat /proc/sys/kernel/random/boot_id")
}

/// Has a daemon that runs die at that write of its journal.
fn arm(daemon: &mut Daemon, write: u32) {
    daemon.stop();
    let fault = [("MICROCLOUD_CRASH_AFTER_JOURNAL_WRITE", write.to_string())];
    assert!(daemon.try_launch(&fault), "{}", daemon.tail());
}

/// Who has it, once that is one member which runs it.
fn settled(cluster: &Cluster) -> usize {
    let third = &cluster.members[2];
    within(SETTLED, "it runs on one member", || {
        let ran = [0, 1].map(|member| runs(&cluster.members[member], "v"));
        let here = ran.iter().position(|runs| *runs)?;
        let is = place(third, "v") == [lab::cluster::name(here), String::from("Running")];
        let idle = cluster.members.iter().all(idle);
        (is && idle && ran != [true, true]).then_some(here)
    })
}

fn idle(daemon: &Daemon) -> bool {
    let asked = daemon.try_request("GET", "/1.0/operations", &[], b"");
    asked.is_ok_and(|reply| !reply.body["metadata"]["running"].is_array())
}

/// Moves it while a daemon dies at that write; where it is then, and whether there is such a write.
fn round(cluster: &mut Cluster, at: usize, end: End, write: u32) -> (usize, bool) {
    let (to, word) = (1 - at, format!("{end:?}-{write}"));
    let dies = if end == End::Target { to } else { at };
    arm(&mut cluster.members[dies], write);
    let third = &cluster.members[2];
    let counted = count(third);
    mark(third, "/dev/sda", 8, &word);
    let booted = boot(third);
    let target = lab::cluster::name(to);
    let mut moved = third.begin(Client::Lxc, &["move", "v", "--target", &target], Vec::new());
    let dying = &mut cluster.members[dies];
    within(SETTLED, "it moved, or a daemon dies", || {
        (dying.ended().is_some() || !moved.runs()).then_some(())
    });
    let died = dying.pid().is_none() || dying.ended().is_some();
    // What is armed still must not go off later.
    dying.kill9();
    dying.launch();
    let here = settled(cluster);
    // Who asked the member that died may wait for ever.
    moved.signal(rustix::process::Signal::KILL);
    moved.wait();
    let third = &cluster.members[2];
    let now = count(third);
    assert!(now > counted, "{word}: it went back from {counted} to {now}");
    assert_eq!(boot(third), booted, "{word}: it was started anew");
    assert_eq!(marked(third, "/dev/sda", 8), word, "what was written to its disk");
    eprintln!("  {word}: {}, m{} has it", if died { "died" } else { "no such write" }, here + 1);
    (here, died)
}

#[test]
fn a_machine_survives_a_daemon_that_dies_at_any_write_of_its_move() {
    if !lab::machines::has_agent() {
        return lab::skip("the agent for guests was not built: cargo xtask agent");
    }
    let Some(mut cluster) = members(3, "crashes") else { return };
    counting(&cluster.members[0], "m1");
    let mut at = 0;
    for end in [End::Target, End::Source] {
        let mut writes = 0;
        loop {
            let (here, died) = round(&mut cluster, at, end, writes + 1);
            at = here;
            if !died {
                break;
            }
            writes += 1;
            assert!(writes < MOST, "the journal of a move has no end");
        }
        assert!(writes >= FEWEST, "the {end:?} wrote {writes} times only");
    }
    let third = &cluster.members[2];
    third.lxc(["delete", "--force", "v"]).ok();
    forget_image(&cluster);
}
