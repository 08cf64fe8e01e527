//! Scheduling.

use std::io;

use crate::call::check;

/// Gives thread `thread` (0 is the caller) the policy `SCHED_*` and its priority.
pub fn set_scheduler(thread: i32, policy: i32, priority: i32) -> io::Result<()> {
    let parameter = libc::sched_param { sched_priority: priority };
    // SAFETY: the kernel reads one structure. The C library's function may be a stub (musl's is).
    check(unsafe {
        libc::syscall(libc::SYS_sched_setscheduler, thread, policy, &raw const parameter)
    })
    .map(drop)
}
