//! The memory of a machine, and its nodes where it has some (NUMA): parts whose processors and memory are on one
//! node of the host's, so that the guest can keep together what is close.

use crate::{Machine, command::Arguments};

/// A part of a machine that is on one node of the host's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The host's node.
    pub host: u32,
    /// Its processors, and places for some, as the machine counts them.
    pub cpus: Vec<u32>,
}

/// Names the board, and gives it the machine's memory.
pub(crate) fn add(args: &mut Arguments, machine: &Machine, board: &str) {
    // All of them at once: one that is missing later would be the machine's end.
    let huge = if machine.huge_pages { ",hugetlb=on,prealloc=on" } else { "" };
    let object =
        |id: &str, kib: u64| format!("memory-backend-memfd,id={id},size={kib}K,share=on{huge}");
    let odd = odd(machine);
    if machine.nodes.is_empty() {
        let kib = (machine.memory >> 10) + odd;
        args.pair("-machine", format!("{board},memory-backend=memory"));
        args.pair("-object", object("memory", kib));
        args.pair("-m", format!("{kib}K"));
        return;
    }
    let sizes: Vec<u64> = shares(machine).iter().map(|kib| kib + odd).collect();
    // Something must follow the board's name, by which a machine from elsewhere is told (`adopted`, `same_again`).
    args.pair("-machine", format!("{board},dump-guest-core=off"));
    // Arm's board cannot plug processors.
    let arm = machine.architecture == "aarch64";
    let places = if arm { machine.cpus } else { machine.most_cpus.max(machine.cpus) };
    args.pair("-m", format!("{}K", sizes.iter().sum::<u64>()));
    for (at, (node, kib)) in machine.nodes.iter().zip(sizes).enumerate() {
        // Where the host's node is full another one is better than none.
        let place = format!("host-nodes={},policy=preferred", node.host);
        args.pair("-object", format!("{},{place}", object(&format!("memory{at}"), kib)));
        let cpus = node.cpus.iter().filter(|cpu| **cpu < places);
        let cpus: String = cpus.map(|cpu| format!(",cpus={cpu}")).collect();
        args.pair("-numa", format!("node,nodeid={at}{cpus},memdev=memory{at}"));
    }
}

/// KiB of each node, whole MiB: what does not divide evenly is the first ones'.
fn shares(machine: &Machine) -> Vec<u64> {
    let (mib, count) = (machine.memory >> 20, machine.nodes.len() as u64);
    (0..count).map(|at| (mib / count + u64::from(at < mib % count)) << 10).collect()
}

/// KiB by which memory is odd in QEMU's translator. Of even memory QEMU before 9.0 misses what the guest writes while
/// it is sent elsewhere: it looks at 64 pages at once, and does not have the translator note the next write to them.
fn odd(machine: &Machine) -> u64 {
    match (machine.accel, machine.huge_pages) {
        (crate::Accel::Tcg, false) => 8,
        _ => 0,
    }
}
