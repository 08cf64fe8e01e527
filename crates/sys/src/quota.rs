//! Project quotas of ext4, xfs and f2fs (`linux/fs.h`, `linux/quota.h`): what the files of a folder take
//! together, and how much that may be.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
};

use crate::call::check;

/// `FS_IOC_FSGETXATTR` and `FS_IOC_FSSETXATTR` of a structure of 28 bytes.
const GET: u64 = 0x801C_581F;
const SET: u64 = 0x401C_5820;
/// `FS_XFLAG_PROJINHERIT`: what is made in the folder is of its project.
const INHERIT: u32 = 0x200;
/// `QCMD(Q_GETQUOTA, PRJQUOTA)` and `QCMD(Q_SETQUOTA, PRJQUOTA)`.
const GET_QUOTA: u32 = 0x80_0007 << 8 | 2;
const SET_QUOTA: u32 = 0x80_0008 << 8 | 2;
/// `QIF_BLIMITS`: the limits of bytes are meant.
const BYTES: u32 = 1;
/// In how many bytes limits are counted (`QIF_DQBLKSIZE`).
const BLOCK: u64 = 1024;

/// `struct fsxattr`.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    flags: u32,
    extent: u32,
    extents: u32,
    project: u32,
    copy_extent: u32,
    pad: [u8; 8],
}

/// `struct if_dqblk`.
#[repr(C)]
#[derive(Default)]
struct Quota {
    hard_limit: u64,
    soft_limit: u64,
    bytes: u64,
    hard_inodes: u64,
    soft_inodes: u64,
    inodes: u64,
    times: [u64; 2],
    valid: u32,
}

/// What the files of a project take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProjectUsage {
    /// Bytes on disk.
    pub bytes: u64,
    /// Files and folders.
    pub inodes: u64,
}

/// The project of an open file or folder; 0 is none.
pub fn project(file: BorrowedFd) -> io::Result<u32> {
    attributes(file).map(|found| found.project)
}

fn attributes(file: BorrowedFd) -> io::Result<Attributes> {
    let mut found = Attributes::default();
    // SAFETY: `found` has the size and layout of the kernel's structure and outlives the call.
    check(unsafe { libc::ioctl(file.as_raw_fd(), GET as _, &raw mut found) }.into())?;
    Ok(found)
}

/// Gives a file or a folder to a project; what is made in such a folder is of it, too.
pub fn set_project(file: BorrowedFd, project: u32, is_folder: bool) -> io::Result<()> {
    let mut wanted = attributes(file)?;
    wanted.project = project;
    if is_folder {
        wanted.flags |= INHERIT;
    }
    // SAFETY: as above.
    check(unsafe { libc::ioctl(file.as_raw_fd(), SET as _, &raw mut wanted) }.into()).map(drop)
}

/// Limits what a project of the file system that an open file is on may take; None lifts the limit.
pub fn limit_project(file: BorrowedFd, project: u32, bytes: Option<u64>) -> io::Result<()> {
    // None at all would be no limit.
    let blocks = bytes.map_or(0, |bytes| (bytes / BLOCK).max(1));
    let mut quota =
        Quota { hard_limit: blocks, soft_limit: blocks, valid: BYTES, ..Quota::default() };
    call(file, SET_QUOTA, project, &mut quota)
}

/// What a project of the file system that an open file is on takes.
pub fn project_usage(file: BorrowedFd, project: u32) -> io::Result<ProjectUsage> {
    let mut quota = Quota::default();
    match call(file, GET_QUOTA, project, &mut quota) {
        // Nobody has heard of it.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => {
            Ok(ProjectUsage { bytes: 0, inodes: 0 })
        }
        other => other.map(|()| ProjectUsage { bytes: quota.bytes, inodes: quota.inodes }),
    }
}

fn call(file: BorrowedFd, command: u32, project: u32, quota: &mut Quota) -> io::Result<()> {
    let fd = file.as_raw_fd();
    // SAFETY: `quota` has the size and layout of the kernel's structure and outlives the call.
    let done = unsafe {
        libc::syscall(libc::SYS_quotactl_fd, fd, command, project, std::ptr::from_mut(quota))
    };
    check(done).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structures_have_the_kernels_sizes() {
        assert_eq!((size_of::<Attributes>(), size_of::<Quota>()), (28, 72));
    }
}
