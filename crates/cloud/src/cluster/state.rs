//! How a member is: its machine's load and memory, and the room in its parts of storage pools. Asked on that member.

use std::{collections::BTreeMap, fs};

use wire::{ClusterMemberState, ClusterMemberSysInfo, Pulse};

use super::clustered;
use crate::{
    Error, Result, World,
    db::{instances::Made, pools},
    server::VERSION,
};

/// How this member is. A pool that does not answer is left out.
pub async fn state(world: &World, name: &str) -> Result<ClusterMemberState> {
    clustered(world)?;
    let pools = world.store.read(|db| {
        let row = super::find(db, name)?;
        if row.id != db.me() {
            return Err(Error::Silent { member: row.name });
        }
        Ok(pools::all(db)?)
    })?;
    let mut storage_pools = BTreeMap::new();
    for pool in pools.into_iter().filter(|pool| pool.made == Made::Ready) {
        if let Ok(room) = crate::storage::usage(world, &pool.name).await {
            storage_pools.insert(pool.name, room);
        }
    }
    let read = |name: &str| fs::read_to_string(format!("/proc/{name}")).unwrap_or_default();
    let sysinfo = ClusterMemberSysInfo {
        logical_cpus: world.host.cpus.len() as u64,
        ..sysinfo(&read("meminfo"), &read("loadavg"), &read("uptime"))
    };
    Ok(ClusterMemberState { sysinfo, storage_pools })
}

/// How busy this member's machine is, and of what version it is.
pub fn pulse(world: &World) -> Pulse {
    let read = |name: &str| fs::read_to_string(format!("/proc/{name}")).unwrap_or_default();
    Pulse {
        version: String::from(VERSION),
        schema: world.store.known_level(),
        halted: world.unfit().map(|unfit| unfit.to_string()).unwrap_or_default(),
        ..busy(&read("meminfo"), &read("loadavg"), world.host.cpus.len() as u64)
    }
}

/// What two files of `/proc` say. What cannot be read passes for a machine that has nothing to do.
fn busy(meminfo: &str, loadavg: &str, cpus: u64) -> Pulse {
    let load = loadavg.split_whitespace().next().and_then(|load| {
        let (whole, part) = load.split_once('.')?;
        // Always two digits.
        Some(whole.parse::<u64>().ok()? * 100 + part.parse::<u64>().ok()?)
    });
    let (memory, available) = (bytes(meminfo, "MemTotal"), bytes(meminfo, "MemAvailable"));
    Pulse { cpus, load: load.unwrap_or(0), memory, available, ..Pulse::default() }
}

/// A line of `/proc/meminfo`.
fn bytes(meminfo: &str, key: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    kilobytes.map_or(0, |count: u64| count * 1024)
}

/// What three files of `/proc` say (proc(5)).
fn sysinfo(meminfo: &str, loadavg: &str, uptime: &str) -> ClusterMemberSysInfo {
    let bytes = |key: &str| bytes(meminfo, key);
    let mut loads = loadavg.split_whitespace();
    let load_averages = loads.by_ref().take(3).filter_map(|load| load.parse().ok()).collect();
    // Such as `2/345`: those that run, and all.
    let all = loads.next().and_then(|tasks| tasks.split_once('/')?.1.parse().ok());
    let seconds = uptime.split(['.', ' ']).next().and_then(|seconds| seconds.parse().ok());
    ClusterMemberSysInfo {
        uptime: seconds.unwrap_or(0),
        load_averages,
        total_ram: bytes("MemTotal"),
        free_ram: bytes("MemFree"),
        shared_ram: bytes("Shmem"),
        buffered_ram: bytes("Buffers"),
        total_swap: bytes("SwapTotal"),
        free_swap: bytes("SwapFree"),
        processes: all.unwrap_or(0),
        logical_cpus: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_is_read() {
        let memory = "MemTotal:        2000 kB\nMemFree:    5 kB\nBuffers: 7 kB\nSwapTotal: 0 kB\n";
        let found = sysinfo(memory, "0.50 1.25 2.00 3/456 789\n", "123.45 99.00\n");
        assert_eq!((found.total_ram, found.free_ram), (2000 * 1024, 5 * 1024));
        assert_eq!((found.buffered_ram, found.total_swap), (7 * 1024, 0));
        assert_eq!(found.load_averages, [0.5, 1.25, 2.0]);
        assert_eq!((found.processes, found.uptime), (456, 123));
        let memory_text = "MemTotal: 2000 kB\nMemFree: 5 kB\nMemAvailable:  900 kB\n";
        let (memory, available) = (2000 * 1024, 900 * 1024);
        let pulse = busy(memory_text, "12.05 1.25 2.00 3/456 789\n", 4);
        assert_eq!(pulse, Pulse { cpus: 4, load: 1205, memory, available, ..Pulse::default() });
        assert_eq!(sysinfo("", "", ""), ClusterMemberSysInfo::default());
    }
}
