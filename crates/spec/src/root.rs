//! Files and devices of an instance.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Where the root file system comes from. Files keep their plain ids (0, 33, ...) on disk; the
/// runtime maps them at mount time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Root {
    /// A folder, or the mount point of a volume.
    Dir {
        /// The folder.
        path: PathBuf,
    },
    /// Read-only layers beneath the instance's own.
    Overlay {
        /// Read-only layers, topmost first.
        lower: Vec<PathBuf>,
        /// Where changes go.
        upper: PathBuf,
        /// Work folder, on the file system of `upper`.
        work: PathBuf,
    },
}

/// A contiguous map: container ids `0..size` are host ids `base..base + size`, users and groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdMap {
    /// First host id.
    pub base: u32,
    /// How many.
    pub size: u32,
}

impl IdMap {
    /// The host's id of a container's id.
    pub fn host(&self, id: u32) -> Option<u32> {
        (id < self.size).then(|| self.base + id)
    }
}

impl Default for IdMap {
    fn default() -> Self {
        IdMap { base: 1_000_000, size: 65_536 }
    }
}

/// Ids of the host that an instance sees under a number of its own choice (`raw.idmap`); they are
/// cut out of its [`IdMap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedIds {
    /// Are these users?
    pub users: bool,
    /// Are these groups?
    pub groups: bool,
    /// First id of the host.
    pub host: u32,
    /// First id inside.
    pub inside: u32,
    /// How many.
    pub count: u32,
}

/// A disk device: a folder or file of the host, seen inside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mount {
    /// On the host.
    pub source: PathBuf,
    /// The folder beneath which `source` lies, where what is in it is nobody's to trust: it is reached
    /// from there without following a link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beneath: Option<PathBuf>,
    /// Inside; made if missing.
    pub target: PathBuf,
    /// Locked read-only: the container's root cannot change it.
    pub readonly: bool,
    /// Map ids, so that files keep their plain ids on the host.
    pub shift: bool,
    /// Take what is mounted below `source` along.
    pub recursive: bool,
    /// A missing source is no error.
    pub optional: bool,
    /// What the host mounts beneath `source` later appears inside, too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub follow: bool,
    /// What else cannot be done there.
    #[serde(skip_serializing_if = "MountFlags::is_empty")]
    pub flags: MountFlags,
}

/// Flags of a mount beside `readonly`; locked as that is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MountFlags {
    /// Programs do not become others by their files.
    pub nosuid: bool,
    /// Device nodes open nothing.
    pub nodev: bool,
    /// No program is started from there.
    pub noexec: bool,
    /// No link is followed.
    pub nosymfollow: bool,
    /// When files were read is not noted.
    pub noatime: bool,
    /// When folders were read is not noted.
    pub nodiratime: bool,
}

impl MountFlags {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == MountFlags::default()
    }
}

impl Mount {
    /// A writable folder or file with mapped ids.
    pub fn new(source: impl AsRef<Path>, target: impl AsRef<Path>) -> Self {
        Mount {
            source: source.as_ref().to_owned(),
            target: target.as_ref().to_owned(),
            shift: true,
            ..Mount::default()
        }
    }
}

/// A device node inside. The runtime makes it, whether or not the host has one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceNode {
    /// Path inside, absolute.
    pub path: PathBuf,
    /// Character or block.
    pub kind: DeviceKind,
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
    /// Permissions, such as 0o660.
    pub mode: u32,
    /// Owner, as the container counts.
    #[serde(default)]
    pub uid: u32,
    /// Group, as the container counts.
    #[serde(default)]
    pub gid: u32,
    /// The device of the instance that it is of; empty for one that the instance has anyway.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub device: String,
}

impl DeviceNode {
    /// A character device that root may use.
    pub fn character(path: impl AsRef<Path>, major: u32, minor: u32) -> Self {
        let path = path.as_ref().to_owned();
        let kind = DeviceKind::Char;
        let device = String::new();
        DeviceNode { path, kind, major, minor, mode: 0o660, uid: 0, gid: 0, device }
    }

    /// A block device that root may use.
    pub fn block(path: impl AsRef<Path>, major: u32, minor: u32) -> Self {
        DeviceNode { kind: DeviceKind::Block, ..DeviceNode::character(path, major, minor) }
    }
}

/// Kind of a device node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// Character device.
    Char,
    /// Block device.
    Block,
}
