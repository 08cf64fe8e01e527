//! What the machine uses, as its kernel tells in `/proc`.

mod disks;
pub(super) mod metrics;
pub(super) mod network;

use std::fs;

use wire::{InstanceStateCpu, InstanceStateMemory};

use super::reply::{self, Reply, blocking};
use crate::words::State;

/// Ticks of `/proc/stat` a second (`USER_HZ`), the same on all machines this runs on.
const TICKS: u64 = 100;

pub(super) async fn get() -> Reply {
    // A guest without netlink has no addresses to tell.
    let network = network::networks().await.unwrap_or_default();
    let rest = blocking(|| Ok(rest())).await?;
    reply::json(&State { network, ..rest })
}

fn rest() -> State {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let (stat, meminfo) = (read("/proc/stat"), read("/proc/meminfo"));
    State {
        memory: memory(&meminfo),
        processes: processes(),
        cpu: InstanceStateCpu { usage: busy(&stat) },
        processors: processors(&stat),
        disks: disks::all(&read("/proc/self/mountinfo")),
        ..State::default()
    }
}

fn memory(meminfo: &str) -> InstanceStateMemory {
    let bytes = |key: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        let number = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        number.unwrap_or(0) * 1024
    };
    InstanceStateMemory {
        usage: bytes("MemTotal").saturating_sub(bytes("MemAvailable")),
        total: bytes("MemTotal"),
        swap_usage: bytes("SwapTotal").saturating_sub(bytes("SwapFree")),
        ..InstanceStateMemory::default()
    }
}

fn processes() -> i64 {
    let numbered = |name: &std::ffi::OsStr| name.to_string_lossy().parse::<u32>().is_ok();
    let Ok(entries) = fs::read_dir("/proc") else { return -1 };
    let count = entries.flatten().filter(|entry| numbered(&entry.file_name())).count();
    i64::try_from(count).unwrap_or(-1)
}

/// Nanoseconds in which the processors did something: user, nice, system, irq, softirq, steal of
/// proc(5).
fn busy(stat: &str) -> u64 {
    let all = stat.lines().find_map(|line| line.strip_prefix("cpu ")).unwrap_or_default();
    let ticks: Vec<u64> = all.split_whitespace().map(|n| n.parse().unwrap_or(0)).collect();
    let busy = [0, 1, 2, 5, 6, 7].iter().filter_map(|at| ticks.get(*at)).sum::<u64>();
    busy.saturating_mul(1_000_000_000 / TICKS)
}

fn processors(stat: &str) -> u32 {
    let one = |line: &&str| line.starts_with("cpu") && !line.starts_with("cpu ");
    u32::try_from(stat.lines().filter(one).count()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proc_says_is_understood() {
        let stat = "cpu  100 1 50 9000 7 2 3 4 5 6\ncpu0 1 2\ncpu1 1 2\nintr 5\n";
        assert_eq!((busy(stat), processors(stat)), (1_600_000_000, 2));
        let meminfo = "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 600 kB\nSwapTotal: 10 kB\nSwapFree: 4 kB\n";
        let memory = memory(meminfo);
        assert_eq!((memory.usage, memory.total, memory.swap_usage), (409_600, 1_024_000, 6_144));
        assert!(processes() > 1);
    }
}
