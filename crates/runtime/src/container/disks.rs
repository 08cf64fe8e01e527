//! Disks: folders and files of the host, bound into the root.

use std::{
    collections::BTreeMap,
    io::{self, ErrorKind},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2},
    io::Errno,
};
use spec::{Mount, MountFlags};
use sys::FsIds;

use super::{
    mounts::{attach, copy_at, map_ids},
    path::{Kind, make},
};
use crate::error::{At, Result};

/// A disk that waits for its target.
pub(super) struct Detached {
    pub(super) mount: OwnedFd,
    pub(super) target: PathBuf,
    pub(super) kind: Kind,
}

/// Copies the source; `None` if it is missing and optional. Where it is to follow the host, this is done in its
/// namespace.
pub(super) fn open(disk: &Mount) -> Result<Option<OwnedFd>> {
    let place = match open_source(disk) {
        Err(error) if error.kind() == ErrorKind::NotFound && disk.optional => return Ok(None),
        result => result.at("find", &disk.source)?,
    };
    let mount = copy_at(place.as_fd(), disk.recursive).at("open", &disk.source)?;
    if disk.follow {
        sys::set_slave_mount(mount.as_fd()).at("follow mounts of", &disk.source)?;
    }
    Ok(Some(mount))
}

/// Those that are to follow the host, by their targets.
pub(super) fn early<'a>(
    disks: impl Iterator<Item = &'a Mount>,
) -> Result<BTreeMap<PathBuf, OwnedFd>> {
    let mut early = BTreeMap::new();
    for disk in disks.filter(|disk| disk.follow) {
        early.extend(open(disk)?.map(|mount| (disk.target.clone(), mount)));
    }
    Ok(early)
}

/// Takes the source, which may have been opened before; `None` if it is missing and optional.
pub(super) fn take(
    disk: &Mount,
    userns: Option<BorrowedFd>,
    early: Option<OwnedFd>,
) -> Result<Option<Detached>> {
    let opened = if early.is_some() { early } else { open(disk)? };
    let Some(mount) = opened else { return Ok(None) };
    let what = FileType::from_raw_mode(fstat(&mount).at("find", &disk.source)?.st_mode);
    if let (true, Some(userns)) = (disk.shift, userns) {
        map_ids(mount.as_fd(), userns, disk.recursive).at("map ids of", &disk.source)?;
    }
    if disk.readonly {
        sys::set_readonly_mount(mount.as_fd()).at("make read-only", &disk.source)?;
    }
    if !disk.flags.is_empty() {
        let flags = attributes(disk.flags);
        sys::restrict_mount(mount.as_fd(), flags).at("restrict", &disk.source)?;
    }
    let kind = if what.is_dir() { Kind::Folder } else { Kind::File };
    Ok(Some(Detached { mount, target: disk.target.clone(), kind }))
}

fn attributes(flags: MountFlags) -> u64 {
    let all = [
        (flags.nosuid, libc::MOUNT_ATTR_NOSUID),
        (flags.nodev, libc::MOUNT_ATTR_NODEV),
        (flags.noexec, libc::MOUNT_ATTR_NOEXEC),
        (flags.nosymfollow, libc::MOUNT_ATTR_NOSYMFOLLOW),
        (flags.noatime, libc::MOUNT_ATTR_NOATIME),
        (flags.nodiratime, libc::MOUNT_ATTR_NODIRATIME),
    ];
    all.iter().filter(|(set, _)| *set).fold(0, |sum, (_, flag)| sum | flag)
}

/// Opens the source. From a folder that is nobody's to trust no link, device or other mount is taken.
fn open_source(disk: &Mount) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let Some(beneath) = &disk.beneath else {
        return Ok(openat(CWD, &disk.source, flags, Mode::empty())?);
    };
    let path = disk.source.strip_prefix(beneath).map_err(io::Error::other)?;
    let folder = openat(CWD, beneath, flags | OFlags::DIRECTORY, Mode::empty())?;
    let inside = ResolveFlags::BENEATH
        | ResolveFlags::NO_SYMLINKS
        | ResolveFlags::NO_MAGICLINKS
        | ResolveFlags::NO_XDEV;
    let place = match openat2(&folder, path, flags, Mode::empty(), inside) {
        Err(Errno::LOOP) => return Err(io::Error::other("a link on the way is not followed")),
        opened => opened?,
    };
    match FileType::from_raw_mode(fstat(&place)?.st_mode) {
        FileType::Directory | FileType::RegularFile => Ok(place),
        _ => Err(io::Error::other("it is neither a folder nor a file")),
    }
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
