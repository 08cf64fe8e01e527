//! What an instance used since it started, as detailed as monitoring wants it.
//!
//! Of a container it is read from its control group, by the daemon itself: monitors need not be asked, and those of
//! before know nothing of it. A virtual machine's agent tells the same of its guest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use spec::{DiskTraffic, InstanceSpec};

use crate::{
    cgroup::{Group, Layout},
    error::Result,
};

/// What an instance used; what nobody counts is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metrics {
    /// Time of the processors.
    pub cpus: Vec<CpuTime>,
    /// Processors it may run on.
    pub processors: Option<u64>,
    /// Its memory.
    pub memory: MemoryUse,
    /// What went to and from disks.
    pub disks: Vec<DiskTraffic>,
    /// Room in file systems.
    pub filesystems: Vec<FileSystem>,
    /// What went over its interfaces, by their names.
    pub network: BTreeMap<String, Traffic>,
    /// Processes and threads.
    pub processes: Option<u64>,
}

/// Time that a processor spent in one way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CpuTime {
    /// Its number.
    pub cpu: u32,
    /// `user`, `system`, `idle`, ...
    pub mode: String,
    /// Nanoseconds.
    pub ns: u64,
}

/// Memory, in bytes; as the fields of `/proc/meminfo` and of `memory.stat` are called.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MemoryUse {
    /// In use lately, of programs.
    pub active_anon: Option<u64>,
    /// In use lately, of files.
    pub active_file: Option<u64>,
    /// Both.
    pub active: Option<u64>,
    /// Cache of files.
    pub cached: Option<u64>,
    /// Waits to be written.
    pub dirty: Option<u64>,
    /// Huge pages that are free.
    pub hugepages_free: Option<u64>,
    /// Huge pages that there are.
    pub hugepages_total: Option<u64>,
    /// Not in use lately, of programs.
    pub inactive_anon: Option<u64>,
    /// Not in use lately, of files.
    pub inactive_file: Option<u64>,
    /// Both.
    pub inactive: Option<u64>,
    /// Files that programs have mapped.
    pub mapped: Option<u64>,
    /// What programs could still have.
    pub available: Option<u64>,
    /// Unused.
    pub free: Option<u64>,
    /// All there is.
    pub total: Option<u64>,
    /// Of programs.
    pub rss: Option<u64>,
    /// Shared, and of file systems in memory.
    pub shmem: Option<u64>,
    /// Swapped out.
    pub swap: Option<u64>,
    /// Cannot be taken back.
    pub unevictable: Option<u64>,
    /// Being written.
    pub writeback: Option<u64>,
    /// How often the kernel killed for want of it; a count.
    pub oom_kills: Option<u64>,
}

/// Room in a file system, in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileSystem {
    /// What it is on.
    pub device: String,
    /// Its type: `ext4`.
    pub fstype: String,
    /// Where it is mounted, inside.
    pub mountpoint: String,
    /// What programs may still use.
    pub available: u64,
    /// What is free, with what is kept for root.
    pub free: u64,
    /// All there is.
    pub size: u64,
}

/// What went over an interface, as seen from inside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Traffic {
    /// Bytes in.
    pub received_bytes: u64,
    /// Packets in.
    pub received_packets: u64,
    /// Broken ones, in.
    pub received_errors: u64,
    /// Thrown away, in.
    pub received_dropped: u64,
    /// Bytes out.
    pub sent_bytes: u64,
    /// Packets out.
    pub sent_packets: u64,
    /// Broken ones, out.
    pub sent_errors: u64,
    /// Thrown away, out.
    pub sent_dropped: u64,
}

/// What the kernel counts of an instance that runs: all but its network and its file systems. `memory` is what the
/// machine has, in bytes.
///
/// # Errors
/// When the hierarchies cannot be found. A counter that cannot be read is left out.
pub fn metrics(spec: &InstanceSpec, memory: u64) -> Result<Metrics> {
    Ok(Group::of(&Layout::detect()?, spec).metrics(memory))
}
