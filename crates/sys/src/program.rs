//! Starting a program for a user, from a process that may have threads.

use std::{
    ffi::CStr,
    io::{self, Read},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use crate::{
    call::check,
    exec::Image,
    fork::{Child, clone3},
    signals,
};

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

const STEPS: [Step; 5] = [Step::Start, Step::Connect, Step::Enter, Step::Become, Step::Execute];

/// Starts a program in its own session; returns when it was executed.
pub fn spawn_program(program: &Program<'_>) -> Result<Child, (Step, io::Error)> {
    start(program).unwrap_or_else(|error| Err((Step::Start, error)))
}

fn start(program: &Program<'_>) -> io::Result<Result<Child, (Step, io::Error)>> {
    let (mut failure, low) = io::pipe()?;
    let report = above(low.as_fd())?;
    drop(low);
    let [input, output, error] = program.stdio.map(above);
    let stdio = [input?, output?, error?];
    let child = signals::with_all_blocked(|| {
        // SAFETY: the child only makes system calls on what was prepared here, then ends.
        match unsafe { clone3(0, None)? } {
            Some(child) => Ok::<_, io::Error>(child),
            // SAFETY: this is the child; it allocates nothing.
            None => unsafe { become_program(program, &stdio, &report) },
        }
    })?;
    drop((report, stdio));
    let mut told = [0; 5];
    let len = failure.read(&mut told)?;
    let (Some((step, errno)), 5) = (told.split_first(), len) else { return Ok(Ok(child)) };
    let errno = errno.try_into().map_or(libc::EIO, i32::from_ne_bytes);
    let step = STEPS.get(usize::from(*step)).copied().unwrap_or(Step::Start);
    reap(&child);
    Ok(Err((step, io::Error::from_raw_os_error(errno))))
}

/// A copy whose number is above those the program gets.
fn above(fd: BorrowedFd) -> io::Result<OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(fd, STANDARD)?)
}

/// One that failed leaves nothing behind.
fn reap(child: &Child) {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    // It has told of its failure, so it ends; nobody else waits for it.
    let _ = waitid(WaitId::PidFd(child.pidfd.as_fd()), WaitIdOptions::EXITED);
}

/// The child's part.
///
/// # Safety
/// Only for a freshly forked child; never returns. Makes no call that allocates or locks.
unsafe fn become_program(program: &Program<'_>, stdio: &[OwnedFd; 3], report: &OwnedFd) -> ! {
    // SAFETY: as this function's.
    let (step, error) = match unsafe { prepare(program, stdio) } {
        Err(failed) => failed,
        Ok(()) => (Step::Execute, program.image.execute()),
    };
    let errno = error.raw_os_error().unwrap_or(libc::EIO).to_ne_bytes();
    let bytes = [step as u8, errno[0], errno[1], errno[2], errno[3]];
    // SAFETY: plain system calls; the bytes live on this stack.
    unsafe {
        libc::write(report.as_raw_fd(), bytes.as_ptr().cast(), bytes.len());
        libc::_exit(127)
    }
}

/// # Safety
/// As of [`become_program`].
unsafe fn prepare(program: &Program<'_>, stdio: &[OwnedFd; 3]) -> Result<(), (Step, io::Error)> {
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
        let close = libc::syscall(libc::SYS_close_range, first, u32::MAX, cloexec);
        check(close).map_err(at(Step::Connect))?;
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
    signals::default_signals();
    Ok(())
}

/// # Safety
/// As of [`become_program`].
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
/// As of [`become_program`].
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
    use std::os::fd::OwnedFd;

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
}
