//! Pseudo terminals of the container's own devpts.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    fs::{Mode, OFlags, fstatfs, openat},
    io::Errno,
    process::ioctl_tiocsctty,
    pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt},
    stdio::{dup2_stderr, dup2_stdin, dup2_stdout},
    termios::{Winsize, tcsetwinsize},
};

/// `DEVPTS_SUPER_MAGIC` of `linux/magic.h`.
const DEVPTS_MAGIC: u64 = 0x1cd1;

/// Opens a new pair; `folder` is where devpts is mounted, unless the container has put something
/// else there.
pub(super) fn open(folder: BorrowedFd) -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let master = openat(folder, "ptmx", flags, Mode::empty())?;
    if fstatfs(&master)?.f_type as u64 != DEVPTS_MAGIC {
        return Err(Errno::NOTTY.into());
    }
    unlockpt(&master)?;
    let slave = peer(master.as_fd())?;
    Ok((master, slave))
}

/// Opens the other side of a master, in whatever mount namespace it is.
pub(crate) fn peer(master: BorrowedFd) -> io::Result<OwnedFd> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    Ok(ioctl_tiocgptpeer(master, flags)?)
}

/// Tells a terminal how large its window is.
pub(crate) fn resize(terminal: BorrowedFd, width: u16, height: u16) -> io::Result<()> {
    let size = Winsize { ws_col: width, ws_row: height, ws_xpixel: 0, ws_ypixel: 0 };
    Ok(tcsetwinsize(terminal, size)?)
}

/// Makes it the controlling terminal and the standard descriptors of this new session.
pub(super) fn control(slave: BorrowedFd) -> io::Result<()> {
    ioctl_tiocsctty(slave)?;
    connect([slave, slave, slave])
}

/// Makes them the standard descriptors.
pub(super) fn connect([stdin, stdout, stderr]: [BorrowedFd; 3]) -> io::Result<()> {
    dup2_stdin(stdin.as_fd())?;
    dup2_stdout(stdout.as_fd())?;
    Ok(dup2_stderr(stderr.as_fd())?)
}
