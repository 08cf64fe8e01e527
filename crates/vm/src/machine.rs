//! What a machine is made of, as plain data.

use crate::{Accel, Firmware, Node, Screen};

/// The socket for QMP, in [`crate::IO`].
pub const QMP_SOCKET: &str = "qmp.sock";
/// The host's end of the port that the guest's agent reads, in [`crate::IO`].
pub const AGENT_SOCKET: &str = "agent.sock";

/// A machine that is to run.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// Its name, shown in lists of processes.
    pub name: String,
    /// Its UUID, which the guest sees too.
    pub uuid: String,
    /// As `uname -m` says it: `x86_64` or `aarch64`.
    pub architecture: String,
    /// What executes its instructions.
    pub accel: Accel,
    /// Bytes of memory; a multiple of a MiB.
    pub memory: u64,
    /// Whether that is of the host's huge pages.
    pub huge_pages: bool,
    /// Processors.
    pub cpus: u32,
    /// Processors that it may have while it runs; not fewer.
    pub most_cpus: u32,
    /// Its nodes, where its processors are on more than one of the host's.
    pub nodes: Vec<Node>,
    /// Cards that can be plugged besides the disks on SCSI, which share one: 32 at most.
    pub places: usize,
    /// Whether it has a disc with what cloud-init is told.
    pub seed: bool,
    /// How it comes to run an operating system.
    pub boot: Boot,
    /// Whether it has a TPM 2.
    pub tpm: bool,
    /// Who shows its screen, if it has one.
    pub screen: Screen,
    /// Further arguments of QEMU, behind all others (`raw.qemu`).
    pub extra: Vec<String>,
}

/// How a machine boots.
#[derive(Debug, Clone, PartialEq)]
pub enum Boot {
    /// By a firmware that finds a loader on a disk.
    Firmware(Firmware),
    /// The kernel at once, without a firmware: `kernel`, and `initrd` if there is one, in [`crate::BOOT`].
    Kernel {
        /// Whether there is an initial RAM disk.
        initrd: bool,
        /// The kernel's command line.
        cmdline: String,
    },
}
