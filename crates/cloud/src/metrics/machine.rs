//! What a virtual machine used: its agent knows; else there is what QEMU and the host see of it.

use std::{fs, time::Duration};

use runtime::{CpuTime, MemoryUse, Metrics};
use tokio::time::timeout;

use super::traffic;
use crate::{
    Result, World,
    blocking::blocking,
    expand::Expanded,
    instances::{
        guests::{Guest, Phase},
        machine::{self, threads},
        options::Typed,
    },
};

/// How long an agent may take: whoever scrapes has ten seconds for all of them.
const PATIENCE: Duration = Duration::from_secs(3);
/// Of one kind (interfaces, disks, ...) in a guest; it may say what it likes.
const MOST: usize = 256;
/// Characters of a name that a guest gives.
const LONGEST: usize = 256;
/// Ticks of `/proc/<pid>/stat` a second (`USER_HZ`), the same on all machines this runs on.
const TICKS: u64 = 100;

pub(super) async fn get(world: &World, guest: &Guest, expanded: &Expanded) -> Result<Metrics> {
    let wanted = Typed::parse(expanded)?.options.security.agent_metrics;
    let agent = guest.agent().filter(|_| wanted && guest.phase() == Phase::Running);
    if let Some(agent) = agent
        && let Ok(Ok(told)) = timeout(PATIENCE, agent.metrics()).await
    {
        return Ok(bounded(told));
    }
    from_outside(world, guest).await
}

/// What a guest says, no longer than it may be.
fn bounded(mut told: Metrics) -> Metrics {
    let short = |text: &mut String| {
        if text.len() > LONGEST {
            *text = text.chars().take(LONGEST / 4).collect();
        }
    };
    told.cpus.truncate(8 * MOST);
    told.cpus.iter_mut().for_each(|one| short(&mut one.mode));
    told.disks.truncate(MOST);
    told.disks.iter_mut().for_each(|one| short(&mut one.device));
    told.filesystems.truncate(MOST);
    for one in &mut told.filesystems {
        [&mut one.device, &mut one.fstype, &mut one.mountpoint].into_iter().for_each(short);
    }
    let network = std::mem::take(&mut told.network).into_iter().take(MOST);
    told.network = network.filter(|(name, _)| name.len() <= LONGEST).collect();
    told
}

async fn from_outside(world: &World, guest: &Guest) -> Result<Metrics> {
    let cards = machine::state::interfaces(world, guest, None).await?;
    let mut found = Metrics {
        network: cards.iter().map(|(name, card)| (name.clone(), traffic(&card.counters))).collect(),
        ..Metrics::default()
    };
    let Some(qmp) = guest.qmp() else { return Ok(found) };
    found.disks = vm::disk_traffic(qmp).await?;
    let threads = vm::threads(qmp).await?;
    found.processors = Some(threads.len() as u64);
    let total = vm::memory_now(qmp).await?;
    let held = guest.clone();
    let seen = blocking("look at QEMU", move || {
        let pid = held.monitor().info()?.pid;
        Ok::<_, crate::Error>((cpus(pid, &threads::on_host(pid, &threads)?), resident(pid)))
    });
    let (cpus, used) = seen.await?;
    let free = used.map(|used| total.saturating_sub(used));
    found.cpus = cpus;
    found.memory = MemoryUse { total: Some(total), free, available: free, ..MemoryUse::default() };
    Ok(found)
}

/// The time of the threads that are processors, in their order.
fn cpus(pid: i32, threads: &[i32]) -> Vec<CpuTime> {
    let mut found = Vec::new();
    for (cpu, thread) in (0..).zip(threads) {
        let stat = fs::read_to_string(format!("/proc/{pid}/task/{thread}/stat"));
        let Some((user, system)) = stat.ok().as_deref().and_then(times) else { continue };
        found.push(CpuTime { cpu, mode: String::from("system"), ns: system });
        found.push(CpuTime { cpu, mode: String::from("user"), ns: user });
    }
    found
}

/// `utime` and `stime` of proc(5), in nanoseconds; the name before them may hold anything.
fn times(stat: &str) -> Option<(u64, u64)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut words = rest.split_whitespace().skip(11);
    let mut next =
        || Some(words.next()?.parse::<u64>().ok()?.saturating_mul(1_000_000_000 / TICKS));
    Some((next()?, next()?))
}

/// Bytes of a process that are in memory.
fn resident(pid: i32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()?.saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use runtime::DiskTraffic;

    use super::*;

    #[test]
    fn times_stand_behind_any_name() {
        let stat = "7 (CPU 0/) KVM) S 1 7 7 0 -1 0 1 2 3 4 150 25 0 0 20 0 1 0 99";
        assert_eq!(times(stat), Some((1_500_000_000, 250_000_000)));
        assert_eq!(times("7 (x"), None);
        assert!(resident(rustix::process::getpid().as_raw_nonzero().get()).unwrap() > 0);
    }

    #[test]
    fn a_guest_cannot_say_too_much() {
        let long = || "é".repeat(4000);
        let one = || DiskTraffic { device: long(), ..DiskTraffic::default() };
        let told = Metrics {
            disks: (0..5000).map(|_| one()).collect(),
            network: [(long(), runtime::Traffic::default())].into(),
            ..Metrics::default()
        };
        let held = bounded(told);
        assert_eq!(held.disks.len(), MOST);
        assert!(held.disks[0].device.len() <= LONGEST && held.network.is_empty());
    }
}
