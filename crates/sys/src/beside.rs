//! A child in its parent's memory, until it is another program: nothing of the parent is copied for it, which costs
//! milliseconds for a daemon, and more inside a machine that is emulated.

use std::{
    arch::asm,
    ffi::c_void,
    io, mem,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use crate::{
    fork::{Child, INTO_CGROUP},
    signals,
};

/// Bytes of the child's stack: it makes system calls only.
const STACK: usize = 64 << 10;
/// `CLONE_CLEAR_SIGHAND` of `linux/sched.h` (Linux 5.5), which `libc` does not have as it is used here: what the caller
/// handles has its default action in the child.
const CLEAR_SIGHAND: u64 = 0x1_0000_0000;
/// To what both architectures align a stack.
const ALIGNED: usize = 16;

/// Starts a child that runs `work` in this process's memory, while the calling thread stands still: until the child
/// has executed a program or has ended. Every signal is blocked in it, and none has a handler. Its exit code is 127 if
/// `work` returns.
///
/// # Safety
/// `work` makes only system calls: it neither allocates, locks nor panics, and changes nothing of the caller's but
/// what it is there to tell.
pub(crate) unsafe fn spawn_beside<F: FnMut()>(
    cgroup: Option<BorrowedFd>,
    work: &mut F,
) -> io::Result<Child> {
    let mut stack: Vec<u8> = Vec::with_capacity(STACK);
    let base = stack.as_mut_ptr() as usize;
    let top = (base + STACK) & !(ALIGNED - 1);
    let mut pidfd: libc::c_int = -1;
    // SAFETY: plain integers; zero means "not used".
    let mut args: libc::clone_args = unsafe { mem::zeroed() };
    args.flags = (libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD) as u64 | CLEAR_SIGHAND;
    args.pidfd = &raw mut pidfd as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    args.stack = base as u64;
    args.stack_size = (top - base) as u64;
    if let Some(cgroup) = cgroup {
        args.flags |= INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: the caller's promise.
    let mut result = unsafe { born(&mut args, work) };
    if result == -i64::from(libc::EINVAL) {
        // Before Linux 5.5, as in the machines of older systems.
        args.flags &= !CLEAR_SIGHAND;
        let mut cleared = || {
            signals::default_handlers();
            work();
        };
        // SAFETY: the same; what is done before are system calls, too.
        result = unsafe { born(&mut args, &mut cleared) };
    }
    if result < 0 {
        return Err(io::Error::from_raw_os_error(-result as i32));
    }
    // SAFETY: the kernel has just made this descriptor for us.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Child { pid: result as i32, pidfd })
}

/// # Safety
/// As of [`spawn_beside`]; `args` name a stack.
unsafe fn born<F: FnMut()>(args: &mut libc::clone_args, work: &mut F) -> i64 {
    // SAFETY: the child has a stack of its own, which outlives it as `args` and `work` do: this thread goes on when
    // the child uses this memory no more (CLONE_VFORK). It never comes back from `run`.
    signals::with_all_blocked(|| unsafe { clone_and_call(args, run::<F>, (&raw mut *work).cast()) })
}

/// What the child does.
extern "C" fn run<F: FnMut()>(work: *mut c_void) -> ! {
    // SAFETY: it is the `work` of a `spawn_beside` that stands still.
    unsafe {
        (*work.cast::<F>())();
        libc::_exit(127)
    }
}

/// The system call `clone3`, and in the child a call of `run`. Gives its result: an id, or an error as a negative
/// number.
///
/// # Safety
/// As of [`spawn_beside`]; `args` name a stack.
unsafe fn clone_and_call(
    args: *mut libc::clone_args,
    run: extern "C" fn(*mut c_void) -> !,
    work: *mut c_void,
) -> i64 {
    let result;
    // SAFETY: what the parent has in registers stays, but for those that a system call changes; the child changes
    // others, which are its own, and does not come to the end of this.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, {work}",
            "call {run}",
            "ud2",
            "2:",
            work = in(reg) work,
            run = in(reg) run,
            inlateout("rax") libc::SYS_clone3 => result,
            in("rdi") args,
            in("rsi") mem::size_of::<libc::clone_args>(),
            out("rcx") _,
            out("r11") _,
        );
    }
    // SAFETY: the same.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x0, {work}",
            "blr {run}",
            "brk 1",
            "2:",
            work = in(reg) work,
            run = in(reg) run,
            in("x8") libc::SYS_clone3,
            inlateout("x0") args => result,
            in("x1") mem::size_of::<libc::clone_args>(),
        );
    }
    result
}
