//! What goes wrong: one thing at a time, for a while.

use std::{fmt, fs, thread, time::Duration};

use lab::{Daemon, Dice, cluster::Cluster};

/// What may go wrong with a member.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Its daemon is killed.
    Kill,
    /// Its daemon is told to end.
    Term,
    /// Its daemon stands still.
    Freeze,
    /// Its machine loses its power.
    Power,
    /// Its cable is out.
    Cable,
    /// It hears nobody.
    Deaf,
    /// Nobody hears it.
    Mute,
    /// Its link is slow.
    Slow,
    /// Its disk is full.
    Full,
    /// Its disk answers nothing, while all that needs none goes on.
    Stall,
    /// Its disk takes its time for all that must be durable.
    Drag,
    /// Its clock jumps, and back.
    Clock,
    /// Its machine loses its power, and does not know the time when it is back.
    Past,
}

const ALL: [Fault; 13] = [
    Fault::Kill,
    Fault::Term,
    Fault::Freeze,
    Fault::Power,
    Fault::Cable,
    Fault::Deaf,
    Fault::Mute,
    Fault::Slow,
    Fault::Full,
    Fault::Stall,
    Fault::Drag,
    Fault::Clock,
    Fault::Past,
];

/// Writes a second of a slow disk: an SD card that is full has as few.
const SLOW: u32 = 20;
/// Seconds by which a clock jumps.
const JUMPS: [i64; 6] = [-86_400, -3600, -70, 70, 3600, 86_400];
/// How far behind a clock is that nobody has set: a board without a battery goes on where it was, at best.
const BEHIND: i64 = -30 * 86_400;
/// For how long: a time server is asked soon.
const UNSET: Duration = Duration::from_secs(2);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format!("{self:?}").to_lowercase())
    }
}

/// Breaks something, waits, and mends it; says what it was.
pub(super) fn one(cluster: &mut Cluster, dice: &mut Dice) -> String {
    thread::sleep(Duration::from_millis(dice.below(1500) as u64));
    let can = |fault: &&Fault| !matches!(fault, Fault::Drag) || Daemon::can_slow_disk();
    let all: Vec<&Fault> = ALL.iter().filter(can).collect();
    let (fault, member) = (**dice.one(&all), dice.below(cluster.members.len()));
    let time = Duration::from_millis(500 + dice.below(4500) as u64);
    let jump = *dice.one(&JUMPS);
    begin(fault, cluster, (member, jump));
    thread::sleep(time);
    end(fault, cluster, member);
    let by = if let Fault::Clock = fault { format!(" by {jump} s") } else { String::new() };
    format!("{fault}{by} m{} {:.1} s", member + 1, time.as_secs_f32())
}

fn begin(fault: Fault, cluster: &mut Cluster, (member, jump): (usize, i64)) {
    let daemon = &mut cluster.members[member];
    match fault {
        Fault::Kill => daemon.kill9(),
        Fault::Term => daemon.stop(),
        Fault::Freeze => daemon.hold(),
        Fault::Stall => daemon.freeze_disk(),
        Fault::Drag => daemon.slow_disk(SLOW),
        Fault::Power | Fault::Past => daemon.cut_power(),
        Fault::Clock => daemon.set_clock(jump),
        Fault::Cable => cluster.unplug(member),
        Fault::Deaf => drop_packets(daemon, "input", "iifname"),
        Fault::Mute => drop_packets(daemon, "output", "oifname"),
        Fault::Slow => {
            let words = "tc qdisc add dev uplink root tbf rate 512kbit burst 4kb latency 400ms";
            daemon.netns().run(&words.split(' ').collect::<Vec<_>>()).ok();
        }
        Fault::Full => {
            let (mut file, zeros) = (fs::File::create(filler(daemon)), vec![0; 1 << 16]);
            while let Ok(open) = &mut file
                && std::io::Write::write_all(open, &zeros).is_ok()
            {}
        }
    }
}

fn end(fault: Fault, cluster: &mut Cluster, member: usize) {
    let daemon = &mut cluster.members[member];
    match fault {
        Fault::Kill | Fault::Term | Fault::Power => daemon.launch(),
        Fault::Freeze => daemon.go_on(),
        Fault::Stall => daemon.thaw_disk(),
        Fault::Drag => daemon.slow_disk(0),
        Fault::Clock => daemon.set_clock(0),
        Fault::Past => {
            daemon.set_clock(BEHIND);
            daemon.launch();
            thread::sleep(UNSET);
            daemon.set_clock(0);
        }
        Fault::Cable => cluster.plug(member),
        Fault::Deaf | Fault::Mute => {
            daemon.netns().run(&["nft", "delete", "table", "inet", "lab"]).ok();
        }
        Fault::Slow => {
            daemon.netns().run(&["tc", "qdisc", "del", "dev", "uplink", "root"]).ok();
        }
        Fault::Full => {
            // Where its own writes fail, too, a daemon ends.
            fs::remove_file(filler(daemon)).unwrap_or_else(|e| panic!("the filler: {e}"));
            if daemon.ended().is_some() {
                daemon.launch();
            }
        }
    }
}

fn filler(daemon: &Daemon) -> std::path::PathBuf {
    daemon.folder().join("filler")
}

fn drop_packets(daemon: &Daemon, hook: &str, card: &str) {
    let netns = daemon.netns();
    netns.run(&["nft", "add", "table", "inet", "lab"]).ok();
    let chain = format!("add chain inet lab lost {{ type filter hook {hook} priority 0; }}");
    netns.run(&["nft", &chain]).ok();
    netns.run(&["nft", "add", "rule", "inet", "lab", "lost", card, "uplink", "drop"]).ok();
}
