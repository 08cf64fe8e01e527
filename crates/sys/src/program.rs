//! Starting a program for a user, from a process that may have threads.

use std::{
    ffi::CStr,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use crate::{beside::spawn_beside, call::check, exec::Image, fork::Child, signals};

/// Descriptors beneath this number are the program's own.
const STANDARD: i32 = 3;

/// What to start, and as whom.
pub struct Program<'a> {
    /// The program.
    pub image: &'a Image,
    /// It starts in the first of these folders that can be entered; in none is a failure.
    pub folders: &'a [&'a CStr],
    /// Its input, output and error.
    pub stdio: [BorrowedFd<'a>; 3],
    /// Whether its input becomes the terminal that controls it.
    pub terminal: bool,
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Further groups.
    pub groups: &'a [u32],
    /// What it gets as `oom_score_adj`; empty leaves what the caller has.
    pub oom_score: &'a CStr,
}

/// What a child was at when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Forking it, or hearing of it.
    Start,
    /// Its descriptors and its terminal.
    Connect,
    /// The folder.
    Enter,
    /// User and groups.
    Become,
    /// The program itself.
    Execute,
}

/// Starts a program in its own session; returns when it was executed.
pub fn spawn_program(program: &Program<'_>) -> Result<Child, (Step, io::Error)> {
    let at_start = |error| (Step::Start, error);
    let [input, output, error] = program.stdio.map(above);
    let stdio = [input.map_err(at_start)?, output.map_err(at_start)?, error.map_err(at_start)?];
    let (mut failure, ignored) = (None, signals::ignored());
    let mut work = || {
        // SAFETY: this is the child. (What is written here holds no memory but its own.)
        failure = Some(match unsafe { prepare(program, &stdio, ignored) } {
            Err(failed) => failed,
            Ok(()) => (Step::Execute, program.image.execute()),
        });
    };
    // SAFETY: the child only makes system calls on what was prepared here.
    let child = unsafe { spawn_beside(None, &mut work) }.map_err(at_start)?;
    match failure {
        None => Ok(child),
        Some(failed) => {
            reap(&child);
            Err(failed)
        }
    }
}

/// A copy whose number is above those the program gets.
fn above(fd: BorrowedFd) -> io::Result<OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(fd, STANDARD)?)
}

/// One that failed leaves nothing behind.
pub(crate) fn reap(child: &Child) {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    // It has told of its failure, so it ends; nobody else waits for it.
    let _ = waitid(WaitId::PidFd(child.pidfd.as_fd()), WaitIdOptions::EXITED);
}

/// The child's part, up to the program itself.
///
/// # Safety
/// Only for a child that is just born; makes no call that allocates or locks.
unsafe fn prepare(
    program: &Program<'_>,
    stdio: &[OwnedFd; 3],
    ignored: &[i32],
) -> Result<(), (Step, io::Error)> {
    let at = |step| move |error| (step, error);
    // SAFETY: system calls on open descriptors, null-terminated strings and arrays of the length
    // that is told. `syscall` and not the functions for ids: those would look for other threads.
    unsafe {
        libc::setsid();
        for (target, source) in stdio.iter().enumerate() {
            let done = libc::dup2(source.as_raw_fd(), target as i32);
            check(done.into()).map_err(at(Step::Connect))?;
        }
        if program.terminal {
            check(libc::ioctl(0, libc::TIOCSCTTY, 0).into()).map_err(at(Step::Connect))?;
        }
        let (first, cloexec) = (STANDARD as libc::c_uint, libc::CLOSE_RANGE_CLOEXEC);
        // Not before Linux 5.11, as in the machines of older systems. It is for what others open; ours close by themselves.
        libc::syscall(libc::SYS_close_range, first, u32::MAX, cloexec);
        set_oom_score(program.oom_score);
        enter(program.folders).map_err(at(Step::Enter))?;
        let groups = (program.groups.len(), program.groups.as_ptr());
        let (uid, gid) = (program.uid, program.gid);
        for done in [
            libc::syscall(libc::SYS_setgroups, groups.0, groups.1),
            libc::syscall(libc::SYS_setresgid, gid, gid, gid),
            libc::syscall(libc::SYS_setresuid, uid, uid, uid),
        ] {
            check(done).map_err(at(Step::Become))?;
        }
    }
    signals::default_ignored(ignored);
    Ok(())
}

/// # Safety
/// As of [`prepare`].
unsafe fn enter(folders: &[&CStr]) -> io::Result<()> {
    let mut result = Ok(());
    for folder in folders {
        // SAFETY: null-terminated.
        result = check(unsafe { libc::chdir(folder.as_ptr()) }.into()).map(drop);
        if result.is_ok() {
            break;
        }
    }
    result
}

/// Not to be protected like the caller is no reason to fail.
///
/// # Safety
/// As of [`prepare`].
unsafe fn set_oom_score(score: &CStr) {
    if score.is_empty() {
        return;
    }
    let bytes = score.to_bytes();
    // SAFETY: null-terminated path, bytes that outlive the call.
    unsafe {
        let file =
            libc::open(c"/proc/self/oom_score_adj".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if file >= 0 {
            libc::write(file, bytes.as_ptr().cast(), bytes.len());
            libc::close(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read, os::fd::OwnedFd};

    use super::*;

    fn run(argv: &[&str], folders: &[&CStr]) -> Result<String, (Step, i32)> {
        let argv: Vec<String> = argv.iter().map(ToString::to_string).collect();
        let image = Image::new(&argv, &[("PATH".into(), "/usr/bin:/bin".into())]).unwrap();
        let (mut read, write) = io::pipe().unwrap();
        let write = OwnedFd::from(write);
        let program = Program {
            image: &image,
            folders,
            stdio: [write.as_fd(); 3],
            terminal: false,
            uid: rustix::process::getuid().as_raw(),
            gid: rustix::process::getgid().as_raw(),
            groups: &[],
            oom_score: c"",
        };
        let child =
            spawn_program(&program).map_err(|(step, e)| (step, e.raw_os_error().unwrap()))?;
        drop(write);
        let mut text = String::new();
        read.read_to_string(&mut text).unwrap();
        reap(&child);
        Ok(text)
    }

    #[test]
    fn a_program_runs_beside_threads_and_its_failures_are_told_by_step() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("SKIP: needs root");
            return;
        }
        assert_eq!(run(&["sh", "-c", "pwd"], &[c"/nowhere", c"/usr"]).unwrap(), "/usr\n");
        assert_eq!(run(&["no-such-program"], &[c"/"]), Err((Step::Execute, libc::ENOENT)));
        assert_eq!(run(&["/etc/passwd"], &[c"/"]), Err((Step::Execute, libc::EACCES)));
        assert_eq!(run(&["true"], &[c"/nowhere"]), Err((Step::Enter, libc::ENOENT)));
    }

    #[test]
    fn a_program_has_the_default_action_for_each_signal() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("SKIP: needs root");
            return;
        }
        // Rust ignores SIGPIPE, and this has a handler of another.
        extern "C" fn nothing(_: i32) {}
        // SAFETY: the handler does nothing.
        unsafe { libc::signal(libc::SIGUSR2, nothing as *const () as libc::sighandler_t) };
        // So does the `posix_spawn` of the C library with the signals it keeps for itself.
        const INTERNAL: i32 = 33;
        signals::set_action(INTERNAL, libc::SIG_IGN);
        for signal in [libc::SIGPIPE, INTERNAL] {
            assert!(signals::ignored().contains(&signal), "{signal} {:?}", signals::ignored());
        }
        let said = run(&["cat", "/proc/self/status"], &[c"/"]).unwrap();
        let said: Vec<&str> = said.lines().filter(|line| line.starts_with("Sig")).collect();
        for set in ["SigBlk", "SigIgn", "SigCgt"] {
            assert!(said.contains(&&*format!("{set}:\t0000000000000000")), "{said:?}");
        }
    }

    #[test]
    fn many_start_at_once_and_none_disturbs_another() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("SKIP: needs root");
            return;
        }
        std::thread::scope(|scope| {
            for thread in 0..8 {
                scope.spawn(move || {
                    for round in 0..20 {
                        let said = format!("{thread} {round}");
                        assert_eq!(run(&["echo", &said], &[c"/"]).unwrap(), said + "\n");
                        assert_eq!(run(&["none"], &[c"/"]), Err((Step::Execute, libc::ENOENT)));
                    }
                });
            }
        });
    }
}
