//! System calls that are done in a container's stead.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Which system calls of a container, that the kernel would refuse it, are looked at and done for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Intercept {
    /// Device nodes that harm nobody: null, zero, full, random, urandom, tty, console.
    pub mknod: bool,
    /// `trusted.overlay.opaque`, which unpacking layers of images needs.
    pub setxattr: bool,
    /// Memory, swap and uptime are the container's, not the machine's.
    pub sysinfo: bool,
    /// Real-time and other policies, by who may choose them inside.
    pub sched_setscheduler: bool,
    /// Filters of devices (eBPF) for control groups of its own.
    pub device_filters: bool,
    /// Mounts of some file systems.
    pub mount: Option<InterceptMount>,
}

/// Which mounts are done for a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InterceptMount {
    /// By the kernel: their names (`ext4`). Who writes to the device inside can attack the kernel by it.
    pub allowed: Vec<String>,
    /// By a program inside: file system, program (`ext4`, `fuse2fs`).
    pub fuse: BTreeMap<String, String>,
    /// Whether the files' owners are shifted into the container's ids.
    pub shift: bool,
}

impl Intercept {
    /// Is any call asked about?
    pub fn any(&self) -> bool {
        *self != Intercept::default()
    }

    /// Whether there may be device nodes in the container that open devices, besides those it was given.
    pub fn brings_nodes(&self) -> bool {
        self.mknod || self.mount.as_ref().is_some_and(|mount| !mount.allowed.is_empty())
    }
}
