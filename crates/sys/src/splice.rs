//! Moving bytes between a pipe and a socket without copying them.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
};

use crate::call::check;

/// `splice(2)`: moves up to `len` bytes; one of the two must be a pipe. Never waits for the pipe; whether for the
/// socket, its own flag says. 0 is the end of `from`.
pub fn splice(from: BorrowedFd, to: BorrowedFd, len: usize) -> io::Result<usize> {
    let flags = libc::SPLICE_F_MOVE | libc::SPLICE_F_NONBLOCK;
    let none = std::ptr::null_mut();
    // SAFETY: both are open, and no offsets are given that the kernel would read or write.
    let moved = unsafe { libc::splice(from.as_raw_fd(), none, to.as_raw_fd(), none, len, flags) };
    check(moved as libc::c_long).map(|moved| moved as usize)
}
