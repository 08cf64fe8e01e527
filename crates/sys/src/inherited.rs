//! Descriptors that the parent left open for us.

use std::{
    io,
    os::fd::{FromRawFd, OwnedFd, RawFd},
    sync::atomic::{AtomicBool, Ordering},
};

use crate::call::check;

/// Takes the descriptors `3..3 + N` that `spawn_detached` left open. Once in a process, at its very
/// start, before anything else is opened; a second call fails.
pub fn take_inherited<const N: usize>() -> io::Result<[OwnedFd; N]> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    for index in 0..N {
        // SAFETY: sets a flag of a descriptor, or fails if there is none.
        check(unsafe { libc::fcntl(3 + index as RawFd, libc::F_SETFD, libc::FD_CLOEXEC) }.into())?;
    }
    // SAFETY: all are open, and nobody else in this process has been told of them.
    Ok(std::array::from_fn(|index| unsafe { OwnedFd::from_raw_fd(3 + index as RawFd) }))
}
