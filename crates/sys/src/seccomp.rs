//! Loading a system call filter, and answering what it asks.

use std::{
    io, mem,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use crate::call::check;

/// `SECCOMP_IOCTL_NOTIF_*` of `linux/seccomp.h`, with the sizes of their structures.
const RECEIVE: libc::c_ulong = 0xc050_2100;
const SEND: libc::c_ulong = 0xc018_2101;
const IS_VALID: libc::c_ulong = 0x4008_2102;
const ADD_DESCRIPTOR: libc::c_ulong = 0x4018_2103;
/// `SECCOMP_ADDFD_FLAG_SEND`: the new descriptor is the call's result, in one step.
const AND_ANSWER: u32 = 2;

/// Loads a filter for this process and its children. Needs `CAP_SYS_ADMIN` in the user namespace,
/// and sets no `no_new_privs`, so that `sudo` and `su` keep working inside.
pub fn install_filter(filter: &[libc::sock_filter]) -> io::Result<()> {
    load(filter, 0).map(drop)
}

/// The same for a filter that asks about some calls: what it asks arrives at the descriptor.
pub fn install_asking_filter(filter: &[libc::sock_filter]) -> io::Result<OwnedFd> {
    let listener = load(filter, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER)?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(listener as i32) })
}

fn load(filter: &[libc::sock_filter], flags: libc::c_ulong) -> io::Result<i64> {
    let Ok(len) = u16::try_from(filter.len()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let program = libc::sock_fprog { len, filter: filter.as_ptr().cast_mut() };
    // SAFETY: the kernel copies `len` instructions out and writes nothing.
    check(unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program)
    })
}

/// A call that waits for an answer.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Names it to the kernel, as long as it waits.
    pub id: u64,
    /// The thread that calls, as this process counts.
    pub thread: i32,
    /// Its ABI (`AUDIT_ARCH_*`).
    pub audit: u32,
    /// The call's number there.
    pub number: u32,
    /// What it is called with.
    pub arguments: [u64; 6],
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is done, with this result.
    Done(i64),
    /// It fails with this error number.
    Failed(i32),
    /// The kernel does it, as if nobody had been asked.
    Kernel,
}

/// The next call that waits. `ENOENT` says that it does not wait any more.
pub fn next_asked(listener: BorrowedFd) -> io::Result<Asked> {
    // SAFETY: plain integers; the kernel wants it zeroed.
    let mut asked: libc::seccomp_notif = unsafe { mem::zeroed() };
    // SAFETY: the kernel fills a structure of just this size.
    check(unsafe { libc::ioctl(listener.as_raw_fd(), RECEIVE, &raw mut asked) }.into())?;
    Ok(Asked {
        id: asked.id,
        thread: asked.pid as i32,
        audit: asked.data.arch,
        number: asked.data.nr as u32,
        arguments: asked.data.args,
    })
}

/// Whether the call waits still: what was opened of its thread before is that thread's then.
pub fn still_waits(listener: BorrowedFd, id: u64) -> bool {
    // SAFETY: the kernel reads one number.
    unsafe { libc::ioctl(listener.as_raw_fd(), IS_VALID, &raw const id) == 0 }
}

/// Answers a call; one that does not wait any more is `ENOENT`.
pub fn answer(listener: BorrowedFd, id: u64, answer: Answer) -> io::Result<()> {
    /// `SECCOMP_USER_NOTIF_FLAG_CONTINUE`.
    const CONTINUE: u32 = 1;
    let (val, error, flags) = match answer {
        Answer::Done(value) => (value, 0, 0),
        Answer::Failed(number) => (0, -number, 0),
        Answer::Kernel => (0, 0, CONTINUE),
    };
    let response = libc::seccomp_notif_resp { id, val, error, flags };
    // SAFETY: the kernel reads a structure of just this size.
    check(unsafe { libc::ioctl(listener.as_raw_fd(), SEND, &raw const response) }.into()).map(drop)
}

/// Answers a call with a descriptor, which its process then has, closed at `execve`. Since Linux 5.14.
pub fn answer_with(listener: BorrowedFd, id: u64, descriptor: BorrowedFd) -> io::Result<()> {
    let added = libc::seccomp_notif_addfd {
        id,
        flags: AND_ANSWER,
        srcfd: descriptor.as_raw_fd() as u32,
        newfd: 0,
        newfd_flags: libc::O_CLOEXEC as u32,
    };
    // SAFETY: the kernel reads a structure of just this size.
    check(unsafe { libc::ioctl(listener.as_raw_fd(), ADD_DESCRIPTOR, &raw const added) }.into())
        .map(drop)
}
