//! What an instance may use.

use serde::{Deserialize, Serialize};

/// Limits that apply live; `None` is unlimited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Memory in bytes: beyond it the kernel kills inside.
    pub memory: Option<u64>,
    /// Memory in bytes beyond which the kernel reclaims, but does not kill.
    pub memory_soft: Option<u64>,
    /// May memory be swapped out? `None` leaves it to the kernel, `Some(false)` forbids it.
    pub memory_swap: Option<bool>,
    /// Processors.
    pub cpus: Option<CpuLimit>,
    /// Processes and threads.
    pub processes: Option<u64>,
    /// Weight of reads and writes, 1 to 1000; the kernel's default is 100.
    pub disk_weight: Option<u32>,
    /// Bytes of huge pages of 64 KiB, 1 MiB, 2 MiB and 1 GiB.
    pub hugepages: [Option<u64>; 4],
}

/// A share of the machine's processors; `None` is the kernel's default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CpuLimit {
    /// Pinned to these: `0-3,6`.
    pub set: Option<String>,
    /// Microseconds of processor time in each period of microseconds.
    pub quota: Option<(u64, u64)>,
    /// Weight against others, 1 to 10000; the kernel's default is 100.
    pub weight: Option<u32>,
}
