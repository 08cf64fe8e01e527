//! A program that was run inside an instance.

use std::{
    mem,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    io::Errno,
    net::{RecvFlags, recv},
    termios::{Winsize, tcsetwinsize},
};

use crate::{
    Error, Stdio,
    error::{At, Result},
    protocol::{Reply, packet},
};

/// A running program. It goes on when this is dropped; its output is then thrown away.
#[derive(Debug)]
pub struct Exec {
    pid: i32,
    pidfd: OwnedFd,
    connection: OwnedFd,
    stdio: Stdio,
    terminal: Option<OwnedFd>,
    code: Option<i32>,
}

impl Exec {
    pub(crate) fn new(connection: OwnedFd, reply: Reply, fds: Vec<OwnedFd>) -> Result<Exec> {
        let Reply::Started { pid } = reply else { return Err(Error::Unsupported) };
        let mut fds = fds.into_iter();
        let pidfd = fds.next().ok_or(Error::Unsupported)?;
        let (stdio, terminal) = match (fds.next(), fds.next(), fds.next()) {
            (Some(pty), None, None) => {
                let terminal = pty.try_clone().at("duplicate", "terminal")?;
                (Stdio::Pty(pty), Some(terminal))
            }
            (Some(stdin), Some(stdout), Some(stderr)) => {
                (Stdio::Pipes { stdin, stdout, stderr }, None)
            }
            _ => (Stdio::None, None),
        };
        Ok(Exec { pid, pidfd, connection, stdio, terminal, code: None })
    }

    /// Host's id of the process.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The caller's ends of its input and output; once. The monitor keeps the reading ends open too:
    /// who stops reading has to drop the `Exec`, or the program hangs when its pipe is full.
    pub fn take_stdio(&mut self) -> Stdio {
        mem::replace(&mut self.stdio, Stdio::None)
    }

    /// Sends it a signal; one that has ended is no error.
    pub fn signal(&self, signal: i32) -> Result<()> {
        match sys::signal_process(self.pidfd.as_fd(), signal) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            result => result.at("signal", self.pid.to_string()),
        }
    }

    /// Tells its terminal how large the window is; without a terminal, nothing happens.
    pub fn resize(&self, width: u16, height: u16) -> Result<()> {
        let Some(terminal) = &self.terminal else { return Ok(()) };
        let size = Winsize { ws_col: width, ws_row: height, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(terminal, size).at("resize", "terminal")
    }

    /// Its exit code, or 128 and the signal that killed it; `None` while it runs. Does not block:
    /// wait until the descriptor is readable.
    pub fn try_wait(&mut self) -> Result<Option<i32>> {
        if self.code.is_none() && readable(self.connection.as_fd())? {
            match packet::recv(self.connection.as_fd())? {
                Some((Reply::Exited { code }, _)) => self.code = Some(code),
                Some(_) => return Err(Error::Unsupported),
                None => return Err(Error::Gone),
            }
        }
        Ok(self.code)
    }
}

impl AsFd for Exec {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.connection.as_fd()
    }
}

/// Is there a packet, or the end?
pub(crate) fn readable(socket: BorrowedFd) -> Result<bool> {
    match recv(socket, &mut [0u8; 1][..], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
        Err(Errno::AGAIN) => Ok(false),
        Ok(_) | Err(Errno::CONNRESET) => Ok(true),
        Err(error) => Err(error).at("look at", "connection"),
    }
}
