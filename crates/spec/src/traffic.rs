//! What an instance used of a disk, whoever counted it: control groups, the agent, QEMU.

use serde::{Deserialize, Serialize};

/// What went to and from a disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DiskTraffic {
    /// Its name, or its device's.
    pub device: String,
    /// Bytes read.
    pub read_bytes: u64,
    /// Reads.
    pub reads: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Writes.
    pub writes: u64,
}
