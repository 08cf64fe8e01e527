//! File systems that stand still for a moment (`linux/fs.h`).

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::call::check;

/// `FIFREEZE` and `FITHAW`.
const HOLD: u64 = 0xC004_5877;
const GO: u64 = 0xC004_5878;

/// Writes all that waits to the disk of a file system, and lets whoever writes more wait until [`let_go`].
pub fn hold_still(folder: BorrowedFd) -> io::Result<()> {
    // SAFETY: the request takes no argument.
    check(unsafe { libc::ioctl(folder.as_raw_fd(), HOLD as _, 0) }.into()).map(drop)
}

/// Lets a file system go on; one that does is an error.
pub fn let_go(folder: BorrowedFd) -> io::Result<()> {
    // SAFETY: the request takes no argument.
    check(unsafe { libc::ioctl(folder.as_raw_fd(), GO as _, 0) }.into()).map(drop)
}
