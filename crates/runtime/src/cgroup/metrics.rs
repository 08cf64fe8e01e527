//! What an instance used, in detail.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use spec::DiskTraffic;

use super::{
    Group,
    usage::{field, number},
};
use crate::metrics::{CpuTime, MemoryUse, Metrics};

impl Group {
    /// Reads the counters; `machine` is the machine's memory, in bytes.
    pub(crate) fn metrics(&self, machine: u64) -> Metrics {
        Metrics {
            cpus: self.cpus(),
            processors: self.processors(),
            memory: self.memory(machine),
            disks: self.disks(),
            processes: self.first("pids", "pids.current", "pids.current"),
            ..Metrics::default()
        }
    }

    /// Version 1 counts each processor, version 2 all together: they are told as the first.
    fn cpus(&self) -> Vec<CpuTime> {
        if let Some(folder) = self.v1("cpuacct") {
            return fs::read_to_string(folder.join("cpuacct.usage_all"))
                .map(|text| each_cpu(&text))
                .unwrap_or_default();
        }
        let Some(stat) = self.unified().map(|folder| folder.join("cpu.stat")) else {
            return Vec::new();
        };
        let mode = |mode: &str| {
            let micros = field(&stat, &format!("{mode}_usec"))?;
            Some(CpuTime { cpu: 0, mode: mode.to_owned(), ns: micros.saturating_mul(1000) })
        };
        ["system", "user"].into_iter().filter_map(mode).collect()
    }

    fn processors(&self) -> Option<u64> {
        let file = match self.layout.on_unified("cpuset") {
            true => self.unified()?.join("cpuset.cpus.effective"),
            false => self.v1("cpuset")?.join("cpuset.effective_cpus"),
        };
        counted(&fs::read_to_string(file).ok()?)
    }

    /// What it may use and uses, where `machine` is all there is.
    pub(crate) fn memory(&self, machine: u64) -> MemoryUse {
        let unified = self.layout.on_unified("memory");
        let folder = if unified { self.unified() } else { self.v1("memory") };
        let Some(folder) = folder else { return MemoryUse::default() };
        let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
        let usage = self.usage();
        let limit = number(&folder, if unified { "memory.max" } else { "memory.limit_in_bytes" });
        // No limit is `max`, or a number beyond all memory.
        let total = limit.unwrap_or(u64::MAX).min(machine);
        let known = if unified { of_v2(&stat) } else { of_v1(&stat) };
        let free = usage.memory.map(|used| total.saturating_sub(used));
        let available = free.map(|free| free.saturating_add(known.cached.unwrap_or(0)).min(total));
        let events = if unified { "memory.events" } else { "memory.oom_control" };
        MemoryUse {
            total: Some(total),
            free,
            available,
            swap: usage.swap,
            oom_kills: field(&folder.join(events), "oom_kill"),
            ..known
        }
    }

    fn disks(&self) -> Vec<DiskTraffic> {
        if self.layout.on_unified("io") {
            let file = self.unified().map(|folder| folder.join("io.stat"));
            let text = file.and_then(|file| fs::read_to_string(file).ok());
            return named(&of_io_stat(&text.unwrap_or_default()));
        }
        let Some(folder) = self.v1("blkio") else { return Vec::new() };
        let read = |what: &str| {
            let file = folder.join(format!("blkio.throttle.io_{what}_recursive"));
            fs::read_to_string(file).unwrap_or_default()
        };
        named(&of_blkio(&read("service_bytes"), &read("serviced")))
    }
}

/// Of `cpuacct.usage_all`: a head, then a line `cpu user system` for each, in nanoseconds.
fn each_cpu(text: &str) -> Vec<CpuTime> {
    let mut found = Vec::new();
    for line in text.lines().skip(1) {
        let numbers: Vec<u64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
        let [cpu, user, system] = numbers[..] else { continue };
        let cpu = u32::try_from(cpu).unwrap_or(u32::MAX);
        // Machines may have far more than an instance ever ran on.
        if user > 0 || system > 0 {
            found.push(CpuTime { cpu, mode: String::from("system"), ns: system });
            found.push(CpuTime { cpu, mode: String::from("user"), ns: user });
        }
    }
    found
}

/// How many a set such as `0-3,7` has.
fn counted(set: &str) -> Option<u64> {
    let mut count = 0;
    for part in set.trim().split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        count += last.checked_sub(first)? + 1;
    }
    (count > 0).then_some(count)
}

/// The lines `name value` of a file.
fn lines(text: &str) -> BTreeMap<&str, u64> {
    text.lines()
        .filter_map(|line| {
            let (name, value) = line.split_once(' ')?;
            Some((name, value.trim().parse().ok()?))
        })
        .collect()
}

fn both(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    Some(a?.saturating_add(b?))
}

fn of_v2(stat: &str) -> MemoryUse {
    let all = lines(stat);
    of_stat(
        |name| all.get(name).copied(),
        ["file", "file_dirty", "file_mapped", "anon", "file_writeback"],
    )
}

/// Those of the whole group begin with `total_`.
fn of_v1(stat: &str) -> MemoryUse {
    let all = lines(stat);
    let of = |name: &str| all.get(format!("total_{name}").as_str()).copied();
    of_stat(of, ["cache", "dirty", "mapped_file", "rss", "writeback"])
}

fn of_stat(
    of: impl Fn(&str) -> Option<u64>,
    [cached, dirty, mapped, rss, writeback]: [&str; 5],
) -> MemoryUse {
    MemoryUse {
        active_anon: of("active_anon"),
        active_file: of("active_file"),
        active: both(of("active_anon"), of("active_file")),
        inactive_anon: of("inactive_anon"),
        inactive_file: of("inactive_file"),
        inactive: both(of("inactive_anon"), of("inactive_file")),
        cached: of(cached),
        dirty: of(dirty),
        mapped: of(mapped),
        rss: of(rss),
        shmem: of("shmem"),
        unevictable: of("unevictable"),
        writeback: of(writeback),
        ..MemoryUse::default()
    }
}

/// By the numbers of the disk: bytes read, reads, bytes written, writes.
type ByNumbers = BTreeMap<String, [u64; 4]>;

/// Of `io.stat`: `8:0 rbytes=1 wbytes=2 rios=3 wios=4 ...`.
fn of_io_stat(text: &str) -> ByNumbers {
    let mut found = ByNumbers::new();
    for line in text.lines() {
        let Some((numbers, rest)) = line.split_once(' ') else { continue };
        let of = |key: &str| {
            let value = rest.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
            value.and_then(|value| value.parse().ok()).unwrap_or(0)
        };
        found.insert(numbers.to_owned(), ["rbytes", "rios", "wbytes", "wios"].map(of));
    }
    found
}

/// Of version 1: lines `8:0 Read 5`, of bytes and of operations.
fn of_blkio(bytes: &str, operations: &str) -> ByNumbers {
    let mut found = ByNumbers::new();
    for (text, offset) in [(bytes, 0), (operations, 1)] {
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [numbers, what, value] = words[..] else { continue };
            let at = match what {
                "Read" => offset,
                "Write" => offset + 2,
                _ => continue,
            };
            found.entry(numbers.to_owned()).or_default()[at] = value.parse().unwrap_or(0);
        }
    }
    found
}

fn named(found: &ByNumbers) -> Vec<DiskTraffic> {
    found
        .iter()
        .map(|(numbers, [read_bytes, reads, written_bytes, writes])| DiskTraffic {
            device: disk_name(numbers),
            read_bytes: *read_bytes,
            reads: *reads,
            written_bytes: *written_bytes,
            writes: *writes,
        })
        .collect()
}

/// The kernel's name of a disk; its numbers where it is gone.
fn disk_name(numbers: &str) -> String {
    let place: PathBuf = Path::new("/sys/dev/block").join(numbers);
    let name = fs::read_link(place).ok();
    let name = name.and_then(|to| Some(to.file_name()?.to_string_lossy().into_owned()));
    name.unwrap_or_else(|| numbers.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_count_processors() {
        let text = "cpu user system\n0 100 20\n1 0 0\n2 3 4\n";
        let found = each_cpu(text);
        let shown: Vec<_> =
            found.iter().map(|one| format!("{} {} {}", one.cpu, one.mode, one.ns)).collect();
        assert_eq!(shown, ["0 system 20", "0 user 100", "2 system 4", "2 user 3"]);
        assert_eq!(counted("0-3,7\n"), Some(5));
        assert_eq!(counted("\n"), None);
        assert_eq!(counted("3-1"), None);
    }

    #[test]
    fn both_versions_tell_memory() {
        let v2 = of_v2("anon 10\nfile 20\nfile_mapped 3\nactive_anon 1\nactive_file 2\nshmem 7\n");
        let v1 = of_v1(
            "rss 999\ntotal_rss 10\ntotal_cache 20\ntotal_mapped_file 3\ntotal_active_anon 1\n\
             total_active_file 2\ntotal_shmem 7\n",
        );
        assert_eq!(v1, v2);
        assert_eq!(
            (v2.rss, v2.cached, v2.active, v2.inactive),
            (Some(10), Some(20), Some(3), None)
        );
    }

    #[test]
    fn both_versions_tell_disks() {
        let v2 = of_io_stat("8:0 rbytes=10 wbytes=30 rios=2 wios=4 dbytes=0 dios=0\n");
        let v1 = of_blkio(
            "8:0 Read 10\n8:0 Write 30\n8:0 Total 40\nTotal 40\n",
            "8:0 Read 2\n8:0 Write 4\n8:0 Sync 9\n",
        );
        assert_eq!(v1, v2);
        assert_eq!(v2["8:0"], [10, 2, 30, 4]);
    }
}
