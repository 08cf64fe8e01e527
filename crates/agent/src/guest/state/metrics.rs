//! What the machine used, in detail: for whoever watches it.

use std::{collections::BTreeMap, fs, path::Path};

use runtime::{CpuTime, DiskTraffic, FileSystem, MemoryUse, Metrics, Traffic};
use wire::InstanceStateNetwork;

use super::{TICKS, disks, network, processes, processors};
use crate::guest::reply::{self, Reply, blocking};

/// Columns of a processor in `/proc/stat` (proc(5)), in their order.
const MODES: [&str; 8] = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];
/// Sectors of `/proc/diskstats`, whatever the disk's are.
const SECTOR: u64 = 512;

pub(in crate::guest) async fn get() -> Reply {
    // A guest without netlink has no interfaces to tell.
    let network = network::networks().await.unwrap_or_default();
    let rest = blocking(|| Ok(rest())).await?;
    let network = network.into_iter().map(|(name, one)| (name, traffic(&one))).collect();
    reply::json(&Metrics { network, ..rest })
}

fn rest() -> Metrics {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let stat = read("/proc/stat");
    Metrics {
        cpus: cpus(&stat),
        processors: Some(processors(&stat).into()),
        memory: MemoryUse {
            oom_kills: oom_kills(&read("/proc/vmstat")),
            ..memory(&read("/proc/meminfo"))
        },
        disks: traffic_of_disks(&read("/proc/diskstats"), is_whole_disk),
        filesystems: filesystems(&read("/proc/self/mountinfo")),
        network: BTreeMap::new(),
        processes: u64::try_from(processes()).ok(),
    }
}

fn cpus(stat: &str) -> Vec<CpuTime> {
    let mut found = Vec::new();
    for line in stat.lines().filter_map(|line| line.strip_prefix("cpu")) {
        let mut words = line.split_whitespace();
        // The line of all together has no number.
        let Some(cpu) = line.chars().next().filter(char::is_ascii_digit).and(words.next()) else {
            continue;
        };
        let Ok(cpu) = cpu.parse() else { continue };
        for (mode, ticks) in MODES.into_iter().zip(words) {
            let ticks: u64 = ticks.parse().unwrap_or(0);
            let ns = ticks.saturating_mul(1_000_000_000 / TICKS);
            found.push(CpuTime { cpu, mode: mode.to_owned(), ns });
        }
    }
    found
}

fn memory(meminfo: &str) -> MemoryUse {
    let value = |key: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
    };
    let bytes = |key: &str| value(key).map(|kib| kib.saturating_mul(1024));
    let page = bytes("Hugepagesize").unwrap_or(0);
    let pages = |key: &str| value(key).map(|count| count.saturating_mul(page));
    let swapped = bytes("SwapTotal").zip(bytes("SwapFree"));
    MemoryUse {
        active_anon: bytes("Active(anon)"),
        active_file: bytes("Active(file)"),
        active: bytes("Active"),
        cached: bytes("Cached"),
        dirty: bytes("Dirty"),
        hugepages_free: pages("HugePages_Free"),
        hugepages_total: pages("HugePages_Total"),
        inactive_anon: bytes("Inactive(anon)"),
        inactive_file: bytes("Inactive(file)"),
        inactive: bytes("Inactive"),
        mapped: bytes("Mapped"),
        available: bytes("MemAvailable"),
        free: bytes("MemFree"),
        total: bytes("MemTotal"),
        rss: bytes("AnonPages"),
        shmem: bytes("Shmem"),
        swap: swapped.map(|(total, free)| total.saturating_sub(free)),
        unevictable: bytes("Unevictable"),
        writeback: bytes("Writeback"),
        oom_kills: None,
    }
}

fn oom_kills(vmstat: &str) -> Option<u64> {
    vmstat.lines().find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok())
}

/// Of lines `major minor name reads merged sectors ms writes merged sectors ...`.
fn traffic_of_disks(diskstats: &str, wanted: impl Fn(&str) -> bool) -> Vec<DiskTraffic> {
    let of = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| words.get(at)?.parse::<u64>().ok();
        let device = words.get(2).filter(|name| wanted(name))?;
        Some(DiskTraffic {
            device: (*device).to_owned(),
            reads: number(3)?,
            read_bytes: number(5)?.saturating_mul(SECTOR),
            writes: number(7)?,
            written_bytes: number(9)?.saturating_mul(SECTOR),
        })
    };
    diskstats.lines().filter_map(of).take(disks::MOST).collect()
}

/// No partition, and nothing that is kept in memory or in a file.
fn is_whole_disk(name: &str) -> bool {
    let made_up = ["loop", "ram", "zram", "fd"].iter().any(|kind| name.starts_with(kind));
    !made_up && Path::new("/sys/block").join(name).exists()
}

fn filesystems(mountinfo: &str) -> Vec<FileSystem> {
    let told = |disk: crate::words::Disk| FileSystem {
        free: disk.total.saturating_sub(disk.used),
        device: disk.source,
        fstype: disk.kind,
        mountpoint: disk.mount,
        available: disk.available,
        size: disk.total,
    };
    disks::all(mountinfo).into_iter().map(told).collect()
}

fn traffic(of: &InstanceStateNetwork) -> Traffic {
    let counters = &of.counters;
    Traffic {
        received_bytes: counters.bytes_received,
        received_packets: counters.packets_received,
        received_errors: counters.errors_received,
        received_dropped: counters.packets_dropped_inbound,
        sent_bytes: counters.bytes_sent,
        sent_packets: counters.packets_sent,
        sent_errors: counters.errors_sent,
        sent_dropped: counters.packets_dropped_outbound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proc_says_is_told_in_detail() {
        let stat = "cpu  5 0 0 0 0 0 0 0\ncpu0 100 1 50 9000 7 2 3 4 5 6\ncpu1 2\nintr 5\n";
        let found = cpus(stat);
        assert_eq!(found.len(), 9);
        assert_eq!((found[2].cpu, found[2].mode.as_str(), found[2].ns), (0, "system", 500_000_000));
        let text = "MemTotal: 10 kB\nAnonPages: 3 kB\nActive(file): 2 kB\nActive: 5 kB\n\
                    HugePages_Total: 2\nHugePages_Free: 1\nHugepagesize: 2048 kB\n";
        let memory = memory(text);
        assert_eq!(
            (memory.total, memory.rss, memory.active),
            (Some(10240), Some(3072), Some(5120))
        );
        assert_eq!((memory.hugepages_total, memory.active_file), (Some(4 << 20), Some(2048)));
        assert_eq!(memory.swap, None);
        assert_eq!(oom_kills("pgfault 7\noom_kill 3\n"), Some(3));
        let disks = traffic_of_disks(
            "   8       0 sda 7 1 16 3 5 2 8 4 0 1 1\n   7       0 loop0 1 1 1 1 1 1 1 1\n",
            |name| name == "sda",
        );
        assert_eq!(disks.len(), 1);
        assert_eq!((disks[0].reads, disks[0].read_bytes), (7, 8192));
        assert_eq!((disks[0].writes, disks[0].written_bytes), (5, 4096));
    }
}
