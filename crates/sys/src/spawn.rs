//! Starting a detached program from a process that may have threads.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd},
};

use crate::{
    beside::spawn_beside, call::check, exec::Strings, fork::Child, program::reap, signals,
};

/// What to start.
pub struct Detached<'a> {
    /// The executable file, open.
    pub file: BorrowedFd<'a>,
    /// Its arguments, the name first.
    pub argv: &'a [&'a str],
    /// Its descriptors 0, 1, 2 and so on; it gets no others.
    pub descriptors: &'a [BorrowedFd<'a>],
    /// The control group (version 2) it is born in.
    pub cgroup: Option<BorrowedFd<'a>>,
}

/// Starts a program in its own session, with an empty environment; returns when it was executed.
pub fn spawn_detached(program: &Detached<'_>) -> io::Result<Child> {
    let argv = Strings::new(program.argv.iter().copied())?;
    let env = Strings::new(std::iter::empty())?;
    let sources = program
        .descriptors
        .iter()
        .map(|fd| above(program.descriptors.len(), *fd))
        .collect::<io::Result<Vec<_>>>()?;
    let file = above(program.descriptors.len(), program.file)?;
    let mut failure = None;
    // SAFETY: this is the child. (What is written here holds no memory but its own.)
    let mut work = || failure = Some(unsafe { execute(&file, &argv, &env, &sources) });
    // SAFETY: the child only makes system calls on what was prepared here.
    let child = unsafe { spawn_beside(program.cgroup, &mut work) }?;
    match failure {
        None => Ok(child),
        Some(error) => {
            reap(&child);
            Err(error)
        }
    }
}

/// A copy whose number is above those the program gets.
fn above(count: usize, fd: BorrowedFd) -> io::Result<OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(fd, count as RawFd + 3)?)
}

/// The child's part; returns only on failure.
///
/// # Safety
/// Only for a child that is just born; makes no call that allocates or locks.
unsafe fn execute(file: &OwnedFd, argv: &Strings, env: &Strings, sources: &[OwnedFd]) -> io::Error {
    // SAFETY: plain system calls on open descriptors and prepared, null-terminated strings.
    let done = unsafe {
        libc::setsid();
        sources
            .iter()
            .enumerate()
            .try_for_each(|(target, source)| {
                check(libc::dup2(source.as_raw_fd(), target as RawFd).into()).map(drop)
            })
            .and_then(|()| {
                let first = sources.len() as libc::c_uint;
                let close = libc::CLOSE_RANGE_CLOEXEC;
                check(libc::syscall(libc::SYS_close_range, first, u32::MAX, close))?;
                signals::unblock();
                let (empty, flags) = (c"".as_ptr(), libc::AT_EMPTY_PATH);
                let file = file.as_raw_fd();
                let (argv, env) = (argv.as_ptr(), env.as_ptr());
                check(libc::syscall(libc::SYS_execveat, file, empty, argv, env, flags))
            })
    };
    done.err().unwrap_or_else(|| io::Error::from_raw_os_error(libc::EIO))
}
