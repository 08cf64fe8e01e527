//! Mounts as descriptors: made detached, then attached to a place that is a descriptor too, so that
//! no path is walked twice.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::CWD,
    mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
        fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
    },
};

/// A new file system, detached.
pub(super) fn file_system(
    kind: &str,
    options: &[(&str, &str)],
    attributes: MountAttrFlags,
) -> io::Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in options {
        fsconfig_set_string(context.as_fd(), *key, *value)?;
    }
    fsconfig_create(context.as_fd())?;
    Ok(fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
}

/// A detached copy of what is at a path of the caller.
pub(crate) fn copy(path: &Path, recursive: bool) -> io::Result<OwnedFd> {
    Ok(open_tree(CWD, path, flags(recursive))?)
}

/// A detached copy of what an open descriptor is.
pub(crate) fn copy_of(place: BorrowedFd) -> io::Result<OwnedFd> {
    copy_at(place, true)
}

/// The same, with what is mounted below it or without.
pub(super) fn copy_at(place: BorrowedFd, recursive: bool) -> io::Result<OwnedFd> {
    Ok(open_tree(place, "", flags(recursive) | OpenTreeFlags::AT_EMPTY_PATH)?)
}

fn flags(recursive: bool) -> OpenTreeFlags {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if recursive { flags | OpenTreeFlags::AT_RECURSIVE } else { flags }
}

/// Maps the ids of a detached mount, for the file systems that can.
pub(super) fn map_ids(mount: BorrowedFd, userns: BorrowedFd, recursive: bool) -> io::Result<()> {
    told(sys::idmap_mount(mount, userns, recursive))
}

/// The same where a filter says which devices a node opens.
pub(super) fn map_ids_with_nodes(
    mount: BorrowedFd,
    userns: BorrowedFd,
    recursive: bool,
) -> io::Result<()> {
    told(sys::idmap_mount_with_nodes(mount, userns, recursive))
}

fn told(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Err(io::Error::other(CANNOT)),
        done => done,
    }
}

const CANNOT: &str = "the file system there cannot map ids: ext4, xfs and btrfs can, tmpfs since Linux \
                      6.3, ZFS since 2.2; network file systems mostly cannot";

/// Attaches a detached mount.
pub(crate) fn attach(mount: BorrowedFd, place: BorrowedFd) -> io::Result<()> {
    let both = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(move_mount(mount, "", place, "", both)?)
}
