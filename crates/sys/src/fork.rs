//! `fork` through `clone3`, into new namespaces and a control group.

use std::{
    io, mem,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::call::check;

/// Every namespace a container may have.
pub(crate) const NAMESPACES: i32 = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP;

/// `CLONE_INTO_CGROUP` of `linux/sched.h`, which `libc` has as an `int` that overflows.
pub(crate) const INTO_CGROUP: u64 = 0x2_0000_0000;

/// How to fork.
#[derive(Default)]
pub struct Fork<'a> {
    /// `CLONE_NEW*` flags.
    pub namespaces: i32,
    /// Make the child a child of the caller's parent.
    pub sibling: bool,
    /// The child is born in this control group (version 2).
    pub cgroup: Option<BorrowedFd<'a>>,
}

/// A child that was forked.
#[derive(Debug)]
pub struct Child {
    /// Its id in the caller's pid namespace.
    pub pid: i32,
    /// Readable when it ended.
    pub pidfd: OwnedFd,
}

/// Forks; the child runs `work` and exits with the code it returns.
///
/// Fails with `EINVAL` in a process that has threads: there, a child could find a lock held by a
/// thread it does not have.
pub fn fork(how: &Fork<'_>, work: impl FnOnce() -> i32) -> io::Result<Child> {
    // SAFETY: CLONE_THREAD has no effect but an error if there are other threads (unshare(2)).
    check(unsafe { libc::unshare(libc::CLONE_THREAD) }.into())?;
    let mut flags = (how.namespaces & NAMESPACES) as u32 as u64;
    if how.sibling {
        flags |= libc::CLONE_PARENT as u64;
    }
    // SAFETY: single-threaded, as was just checked; the child shares no memory.
    match unsafe { clone3(flags, how.cgroup)? } {
        Some(child) => Ok(child),
        None => {
            let code = catch_unwind(AssertUnwindSafe(work)).unwrap_or(101);
            // SAFETY: ends the process; nothing of the parent's is flushed twice.
            unsafe { libc::_exit(code) }
        }
    }
}

/// The raw call; `None` in the child.
///
/// # Safety
/// With threads about, the child may only make async-signal-safe calls.
unsafe fn clone3(flags: u64, cgroup: Option<BorrowedFd>) -> io::Result<Option<Child>> {
    let mut pidfd: libc::c_int = -1;
    // SAFETY: plain integers; zero means "not used".
    let mut args: libc::clone_args = unsafe { mem::zeroed() };
    args.flags = flags | libc::CLONE_PIDFD as u64;
    args.pidfd = &raw mut pidfd as u64;
    if flags & libc::CLONE_PARENT as u64 == 0 {
        args.exit_signal = libc::SIGCHLD as u64;
    }
    if let Some(cgroup) = cgroup {
        args.flags |= INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: no CLONE_VM: the child runs on a copy of this stack; `args` outlives the call.
    let pid = check(unsafe {
        libc::syscall(libc::SYS_clone3, &raw mut args, mem::size_of::<libc::clone_args>())
    })?;
    if pid == 0 {
        return Ok(None);
    }
    // SAFETY: the kernel has just made this descriptor for us.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Some(Child { pid: pid as i32, pidfd }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_with_threads() {
        // The test harness itself runs each test in a thread.
        let error = fork(&Fork::default(), || 0).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    }
}
