//! Attributes of detached mounts.

use std::{
    io, mem,
    os::fd::{AsRawFd, BorrowedFd},
};

use crate::call::check;

/// Maps the ids of a detached mount (and of those below it) through a user namespace. Device nodes
/// in it open no device: who sees mapped ids has no business with the host's.
pub fn idmap_mount(mount: BorrowedFd, userns: BorrowedFd, recursive: bool) -> io::Result<()> {
    let attributes = libc::MOUNT_ATTR_IDMAP | libc::MOUNT_ATTR_NODEV;
    set(mount, recursive, attributes, userns.as_raw_fd() as u64)
}

/// The same, but device nodes open devices: something else has to say which.
pub fn idmap_mount_with_nodes(
    mount: BorrowedFd,
    userns: BorrowedFd,
    recursive: bool,
) -> io::Result<()> {
    set(mount, recursive, libc::MOUNT_ATTR_IDMAP, userns.as_raw_fd() as u64)
}

/// Makes a mount and those below it read-only.
pub fn set_readonly_mount(mount: BorrowedFd) -> io::Result<()> {
    set(mount, true, libc::MOUNT_ATTR_RDONLY, 0)
}

/// Sets attributes (`MOUNT_ATTR_`) of a mount and those below it.
pub fn restrict_mount(mount: BorrowedFd, attributes: u64) -> io::Result<()> {
    // How access times are kept is one setting of several bits.
    let access =
        if attributes & libc::MOUNT_ATTR_NOATIME == 0 { 0 } else { libc::MOUNT_ATTR__ATIME };
    change(mount, true, libc::mount_attr { attr_clr: access, ..attributes_of(attributes, 0) })
}

/// Has what is mounted below the original of a mount appear below it, too, and not the other way.
pub fn set_slave_mount(mount: BorrowedFd) -> io::Result<()> {
    change(mount, true, libc::mount_attr { propagation: libc::MS_SLAVE, ..attributes_of(0, 0) })
}

fn set(mount: BorrowedFd, recursive: bool, attributes: u64, userns: u64) -> io::Result<()> {
    change(mount, recursive, attributes_of(attributes, userns))
}

fn attributes_of(set: u64, userns: u64) -> libc::mount_attr {
    libc::mount_attr { attr_set: set, attr_clr: 0, propagation: 0, userns_fd: userns }
}

fn change(mount: BorrowedFd, recursive: bool, change: libc::mount_attr) -> io::Result<()> {
    let recursive = if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is an empty C string, `change` outlives the call and its size is given.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | recursive,
            &raw const change,
            mem::size_of_val(&change),
        )
    })
    .map(drop)
}
