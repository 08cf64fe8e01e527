//! Disks: folders and files of the host, bound into the root.

use std::{
    fs,
    io::ErrorKind,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use spec::Mount;
use sys::FsIds;

use super::{
    mounts::{attach, copy, map_ids},
    path::{Kind, make},
};
use crate::error::{At, Result};

/// A disk that waits for its target.
pub(super) struct Detached {
    pub(super) mount: OwnedFd,
    pub(super) target: PathBuf,
    pub(super) kind: Kind,
}

/// Takes the source; `None` if it is missing and optional.
pub(super) fn take(disk: &Mount, userns: Option<BorrowedFd>) -> Result<Option<Detached>> {
    let metadata = match fs::metadata(&disk.source) {
        Err(error) if error.kind() == ErrorKind::NotFound && disk.optional => return Ok(None),
        result => result.at("find", &disk.source)?,
    };
    let mount = copy(&disk.source, disk.recursive).at("open", &disk.source)?;
    if let (true, Some(userns)) = (disk.shift, userns) {
        map_ids(mount.as_fd(), userns, disk.recursive).at("map ids of", &disk.source)?;
    }
    if disk.readonly {
        sys::set_readonly_mount(mount.as_fd()).at("make read-only", &disk.source)?;
    }
    let kind = if metadata.is_dir() { Kind::Folder } else { Kind::File };
    Ok(Some(Detached { mount, target: disk.target.clone(), kind }))
}

/// Binds a disk below an open root, in the caller's mount namespace. Missing parts of the target
/// are made by the container's root.
pub(super) fn bind(root: BorrowedFd, disk: &Detached, root_id: u32) -> Result<()> {
    let owner = FsIds::act_as(root_id).at("act as root of", "container")?;
    let place = make(root, &disk.target, disk.kind).at("make mount point", &disk.target)?;
    drop(owner);
    put(disk, place.as_fd())
}

/// The same, when the caller is the container's root already.
pub(super) fn bind_as_root(root: BorrowedFd, disk: &Detached) -> Result<()> {
    let place = make(root, &disk.target, disk.kind).at("make mount point", &disk.target)?;
    put(disk, place.as_fd())
}

fn put(disk: &Detached, place: BorrowedFd) -> Result<()> {
    attach(disk.mount.as_fd(), place).at("mount", &disk.target)
}

/// Paths are shown as the container sees them.
pub(super) fn open_root(path: &Path) -> Result<OwnedFd> {
    crate::client::open_folder(path).at("open", path)
}
