//! Starting a detached program from a process that may have threads.

use std::{
    io::{self, Read},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
};

use crate::{
    call::check,
    exec::Strings,
    fork::{Child, clone3},
    signals,
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
    let (mut failure, low) = io::pipe()?;
    let report = above(program.descriptors.len(), low.as_fd())?;
    drop(low);
    let sources = program
        .descriptors
        .iter()
        .map(|fd| above(program.descriptors.len(), *fd))
        .collect::<io::Result<Vec<_>>>()?;
    let file = above(program.descriptors.len(), program.file)?;
    let child = signals::with_all_blocked(|| {
        // SAFETY: the child only makes system calls on what was prepared here, then ends.
        match unsafe { clone3(0, program.cgroup)? } {
            Some(child) => Ok::<_, io::Error>(child),
            // SAFETY: this is the child; it allocates nothing.
            None => unsafe { become_program(&file, &argv, &env, &sources, &report) },
        }
    })?;
    drop(report);
    let mut errno = [0; 4];
    match failure.read(&mut errno)? {
        4 => Err(io::Error::from_raw_os_error(i32::from_ne_bytes(errno))),
        _ => Ok(child),
    }
}

/// A copy whose number is above those the program gets.
fn above(count: usize, fd: BorrowedFd) -> io::Result<OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(fd, count as RawFd + 3)?)
}

/// The child's part.
///
/// # Safety
/// Only for a freshly forked child; never returns. Makes no call that allocates or locks.
unsafe fn become_program(
    file: &OwnedFd,
    argv: &Strings,
    env: &Strings,
    sources: &[OwnedFd],
    report: &OwnedFd,
) -> ! {
    // SAFETY: plain system calls on open descriptors and prepared, null-terminated strings.
    unsafe {
        let prepare = || {
            libc::setsid();
            for (target, source) in sources.iter().enumerate() {
                check(libc::dup2(source.as_raw_fd(), target as RawFd).into())?;
            }
            let first = sources.len() as libc::c_uint;
            let close = libc::CLOSE_RANGE_CLOEXEC;
            check(libc::syscall(libc::SYS_close_range, first, u32::MAX, close))?;
            signals::unblock();
            let empty = c"".as_ptr();
            let flags = libc::AT_EMPTY_PATH;
            let file = file.as_raw_fd();
            check(libc::syscall(
                libc::SYS_execveat,
                file,
                empty,
                argv.as_ptr(),
                env.as_ptr(),
                flags,
            ))
        };
        let errno = match prepare() {
            Ok(_) => 0,
            Err(error) => error.raw_os_error().unwrap_or(libc::EIO),
        };
        let bytes = errno.to_ne_bytes();
        libc::write(report.as_raw_fd(), bytes.as_ptr().cast(), bytes.len());
        libc::_exit(127)
    }
}
