//! Sending signals, and what a new program inherits of them.

use std::{
    io, mem,
    os::fd::{AsRawFd, BorrowedFd},
    ptr,
    sync::OnceLock,
};

use crate::call::check;

/// The highest signal of the kernel (`_NSIG`).
const LAST: i32 = 64;
/// Bytes of the kernel's set of signals.
const SET: usize = 8;

/// The kernel's own `sigaction`, as both architectures have it. The C library's leaves out the two signals that it keeps for
/// itself, and its `posix_spawn` has a program begin with those ignored: so they would be in every program of a user's.
#[repr(C)]
#[derive(Default)]
struct Action {
    handler: libc::sighandler_t,
    flags: libc::c_ulong,
    restorer: usize,
    mask: u64,
}

/// Gives every signal its default action and blocks none, as a new program expects. (Rust ignores
/// SIGPIPE, and an ignored signal stays ignored across `execve`.)
pub fn default_signals() {
    default_handlers();
    unblock();
}

/// The same, but for those that are blocked.
pub(crate) fn default_handlers() {
    for signal in 1..=LAST {
        set_action(signal, libc::SIG_DFL);
    }
}

/// The signals that this process ignores, of which nothing changes while it runs: so they are asked for once. The question is
/// a system call for each signal, which is long in a machine that is emulated.
pub(crate) fn ignored() -> &'static [i32] {
    static IGNORED: OnceLock<Vec<i32>> = OnceLock::new();
    IGNORED.get_or_init(|| (1..=LAST).filter(|signal| is_ignored(*signal)).collect())
}

fn is_ignored(signal: i32) -> bool {
    let mut now = Action::default();
    let nothing = ptr::null::<Action>();
    // SAFETY: nothing is set, and what is told is written into `now`.
    let asked =
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, nothing, &raw mut now, SET) };
    asked == 0 && now.handler == libc::SIG_IGN
}

/// Sets `SIG_DFL` or `SIG_IGN`; signals of which the kernel refuses that stay as they are.
pub(crate) fn set_action(signal: i32, handler: libc::sighandler_t) {
    let action = Action { handler, ..Action::default() };
    let nothing = ptr::null_mut::<Action>();
    // SAFETY: neither runs code of this program.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, &raw const action, nothing, SET) };
}

/// [`default_signals`] for a child that has no handlers from its birth on.
pub(crate) fn default_ignored(ignored: &[i32]) {
    for signal in ignored {
        set_action(*signal, libc::SIG_DFL);
    }
    unblock();
}

/// Sends any signal, real-time ones too, to a process.
pub fn signal_process(pidfd: BorrowedFd, signal: i32) -> io::Result<()> {
    let nothing = ptr::null::<libc::siginfo_t>();
    // SAFETY: a null siginfo asks for the one that kill(2) would send.
    check(unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, nothing, 0)
    })
    .map(drop)
}

/// Blocks no signal.
pub(crate) fn unblock() {
    // SAFETY: an all-zero set is the empty set, and it outlives the call.
    unsafe {
        let none: libc::sigset_t = mem::zeroed();
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
    }
}

/// Blocks every signal.
pub(crate) fn block_all() {
    // SAFETY: the set lives on this stack and is filled before it is read.
    unsafe {
        let mut all: libc::sigset_t = mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const all, ptr::null_mut());
    }
}

/// Runs `work` with every signal blocked: a child forked meanwhile runs no handler of ours.
pub(crate) fn with_all_blocked<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: both sets live on this stack and are filled by the calls before they are read.
    unsafe {
        let mut all: libc::sigset_t = mem::zeroed();
        let mut before: libc::sigset_t = mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        let done = work();
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, ptr::null_mut());
        done
    }
}
