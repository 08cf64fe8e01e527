//! What both ends say to each other. Every field has a default, because one end may be older.

use std::{collections::BTreeMap, io, path::PathBuf};

use runtime::{ExecSpec, files::Made};
use serde::{Deserialize, Serialize};
use wire::{InstanceStateCpu, InstanceStateMemory, InstanceStateNetwork};

/// Versions of the protocol that this code speaks, the lowest and the highest.
pub const PROTOCOLS: (u32, u32) = (1, NUMBERED);
/// From this version on the daemon numbers the programs it starts, so that it can ask for their streams without
/// having waited for an answer.
pub(crate) const NUMBERED: u32 = 2;

/// What an agent says of itself and of the machine it runs in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Info {
    /// Version of the agent.
    pub version: String,
    /// What it can do, for what came after the first version of the protocol.
    pub features: Vec<String>,
    /// Name of the operating system: `ID` of `os-release`.
    pub os: String,
    /// Its version: `VERSION_ID` of `os-release`.
    pub os_version: String,
    /// The two as people write them: `PRETTY_NAME` of `os-release`.
    pub os_name: String,
    /// Kernel, such as `Linux`.
    pub kernel: String,
    /// Version of the kernel.
    pub kernel_version: String,
    /// As the kernel names it: `x86_64`.
    pub architecture: String,
    /// Name of the machine.
    pub hostname: String,
    /// Identity of this boot.
    pub boot_id: String,
    /// When the machine was started, by its own clock: seconds since 1970.
    pub booted_at: i64,
    /// Its clock: nanoseconds since 1970.
    pub clock: i64,
}

/// What a machine uses.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Interfaces by their names inside; what the host knows of them is left empty.
    pub network: BTreeMap<String, InstanceStateNetwork>,
    /// Memory.
    pub memory: InstanceStateMemory,
    /// Processes.
    pub processes: i64,
    /// Processors, as time used by all of them since the boot.
    pub cpu: InstanceStateCpu,
    /// Processors that are online.
    pub processors: u32,
    /// File systems on disks.
    pub disks: Vec<Disk>,
}

/// A file system that is mounted from a disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Disk {
    /// Where it is mounted.
    pub mount: String,
    /// From what: `/dev/sda2`, or the tag of a share.
    pub source: String,
    /// Its type: `ext4`.
    pub kind: String,
    /// Serial of the disk it is on, as the host gave it; empty where the guest sees none.
    pub serial: String,
    /// Bytes used.
    pub used: u64,
    /// Bytes there are.
    pub total: u64,
    /// Bytes that programs may still use.
    pub available: u64,
}

/// A folder of the host's, and where the guest is to have it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Share {
    /// What its device is found by.
    pub tag: String,
    /// Where it is mounted; made if it is not there.
    pub path: PathBuf,
    /// Whether it is mounted to be read only.
    pub readonly: bool,
}

/// What is on the drive for the guest's files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Templates {
    /// Which start of the machine it is.
    pub generation: u64,
    /// The files.
    pub files: Vec<Made>,
}

impl Templates {
    /// Its name on the drive.
    pub const FILE: &str = "templates.json";
}

/// What is on the drive for the guest's network cards, if they are to be as the devices say; and what its agent is told of
/// those that are plugged later.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Nics {
    /// Those that are to be changed.
    pub nics: Vec<Nic>,
}

impl Nics {
    /// Its name on the drive.
    pub const FILE: &str = "nics.json";
}

/// A network card as it is to be inside.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Nic {
    /// What it is found by: `00:16:3e:...`.
    pub hwaddr: String,
    /// Its name.
    pub name: String,
    /// Bytes in a packet; as it is, if absent.
    pub mtu: Option<u32>,
}

/// The clock is to be set.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Clock {
    /// Nanoseconds since 1970.
    pub(crate) now: i64,
}

/// A program is to be started.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Start {
    pub(crate) spec: ExecSpec,
    /// No input, and output that is thrown away.
    pub(crate) null: bool,
}

/// It was started.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Started {
    /// For the addresses of its streams.
    pub(crate) id: u64,
    /// As the guest counts.
    pub(crate) pid: i32,
}

/// Something is to be done to a program that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Control {
    Signal(i32),
    Resize(u16, u16),
}

/// It ended.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Ended {
    pub(crate) code: i32,
}

/// Somebody inside came to ask the daemon.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Arrived {
    /// For the addresses of its streams.
    pub(crate) id: u64,
}

/// Files are to be accessed, with this folder as the ceiling.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Place {
    pub(crate) root: PathBuf,
}

/// They may be.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Opened {
    pub(crate) id: u64,
}

/// Why something could not be done.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Fault {
    pub(crate) operation: String,
    pub(crate) object: String,
    /// 0 where there is none.
    pub(crate) errno: i32,
    pub(crate) detail: String,
}

impl Fault {
    pub(crate) fn new(operation: &str, object: impl Into<String>, error: &io::Error) -> Fault {
        Fault {
            operation: operation.to_owned(),
            object: object.into(),
            errno: error.raw_os_error().unwrap_or(0),
            detail: error.to_string(),
        }
    }

    pub(crate) fn source(&self) -> io::Error {
        match self.errno {
            0 => io::Error::other(self.detail.clone()),
            errno => io::Error::from_raw_os_error(errno),
        }
    }
}
