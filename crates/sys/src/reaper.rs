//! A PID 1 that does nothing but what a PID 1 must.

use std::{io, mem, ptr};

use crate::{
    fork::{Child, Fork, fork},
    signals,
};

/// Forks; the child runs `work`. This process becomes its PID 1: it reaps orphans, passes signals
/// on, closes all its descriptors, and ends with the child's exit code, or 128 and the signal that
/// killed it. Returns only if it could not fork.
pub fn run_below_reaper(work: impl FnOnce() -> i32) -> io::Error {
    signals::block_all();
    match fork(&Fork::default(), work) {
        Err(error) => error,
        Ok(child) => reap(&child),
    }
}

fn reap(child: &Child) -> ! {
    // SAFETY: nothing after this uses a descriptor, and nothing is dropped: it ends with _exit.
    // A signal number is plain data, and a zeroed set is filled before it is read.
    unsafe {
        libc::syscall(libc::SYS_close_range, 0, u32::MAX, 0);
        let mut all: libc::sigset_t = mem::zeroed();
        libc::sigfillset(&raw mut all);
        loop {
            match libc::sigwaitinfo(&raw const all, ptr::null_mut()) {
                libc::SIGCHLD => reap_all(child.pid),
                signal @ 1.. => {
                    libc::kill(child.pid, signal);
                }
                _ => {}
            }
        }
    }
}

/// Waits for all that ended; ends with `main`.
fn reap_all(main: i32) {
    let mut status = 0;
    loop {
        // SAFETY: `status` outlives the call.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
        if pid <= 0 {
            return;
        }
        if pid == main {
            let code = if libc::WIFEXITED(status) {
                libc::WEXITSTATUS(status)
            } else {
                128 + libc::WTERMSIG(status)
            };
            // SAFETY: ends the process; there is nothing to clean up.
            unsafe { libc::_exit(code) }
        }
    }
}
