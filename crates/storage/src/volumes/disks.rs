//! Files on a disk of the backing: what is made on it, how it is mounted, how it stands still.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use exec::mkfs::FileSystem;

use crate::error::At;
use crate::{Result, fsio, mounts};

/// Bytes of a volume that is given no size.
pub(crate) const USUAL: u64 = 10 << 30;

/// Mounts the file system of a disk, to be written to or only looked at.
pub(crate) fn mount(
    disk: &Path,
    kind: FileSystem,
    options: Option<&str>,
    at: &Path,
    access: Access,
) -> Result<()> {
    let (name, own) = match (kind, access) {
        // Tables of inodes are written when they are needed: they would take a thin pool's room.
        (FileSystem::Ext4, Access::Write) => ("ext4", "noinit_itable"),
        // Snapshots have the identity of what they are of.
        (FileSystem::Xfs, Access::Write) => ("xfs", "nouuid"),
        // It stood still when it was taken: there is nothing in its journal.
        (FileSystem::Ext4, Access::Read) => ("ext4", "ro,noload"),
        (FileSystem::Xfs, Access::Read) => ("xfs", "ro,norecovery,nouuid"),
    };
    let options = match access {
        Access::Write => options.unwrap_or("discard"),
        Access::Read => "",
    };
    mounts::mount(disk, at, name, &format!("{own},{options}"))
}

/// How a disk is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// By whoever uses it.
    Write,
    /// By whoever looks at what is kept.
    Read,
}

/// Bytes that files take in the file system that is mounted there.
pub(crate) fn used(mount: &Path) -> Result<u64> {
    let room = rustix::fs::statvfs(mount).at("measure", mount)?;
    Ok((room.f_blocks - room.f_bfree) * room.f_frsize)
}

/// Files that stand still, with all that was written to them on disk, until this is dropped.
pub(crate) struct Still(OwnedFd);

impl Still {
    pub(crate) fn hold(mount: &Path) -> Result<Still> {
        let folder = fsio::open_dir(mount)?;
        sys::hold_still(folder.as_fd()).at("hold still", mount)?;
        Ok(Still(folder))
    }
}

impl Drop for Still {
    fn drop(&mut self) {
        // The next open of the pool does it if this fails.
        let _ = sys::let_go(self.0.as_fd());
    }
}

/// Lets files go on that a crash left standing still.
pub(crate) fn let_go(mount: &Path) {
    if let Ok(folder) = fsio::open_dir(mount) {
        // Most do not stand still, and say so.
        let _ = sys::let_go(folder.as_fd());
    }
}
