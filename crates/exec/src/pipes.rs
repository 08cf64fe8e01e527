//! The three pipes to a child, none of which ever blocks us.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{ChildStderr, ChildStdin, ChildStdout};

use rustix::io::ioctl_fionbio;

use crate::lines::Lines;

/// At most this much is read in one go, so that a chatty child cannot keep us from its deadline.
const TURN: usize = 1 << 20;

/// What is to be written to a child, as far as it has not been.
pub(crate) struct Feed {
    pipe: Option<ChildStdin>,
    bytes: Vec<u8>,
    done: usize,
}

impl Feed {
    pub(crate) fn new(pipe: Option<ChildStdin>, bytes: Vec<u8>) -> io::Result<Feed> {
        pipe.as_ref().map_or(Ok(()), |pipe| ioctl_fionbio(pipe, true))?;
        Ok(Feed { pipe, bytes, done: 0 })
    }

    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Writes what fits and closes the pipe after the last byte. A child that does not want the
    /// rest is its own business: its exit status tells.
    pub(crate) fn push(&mut self) -> io::Result<()> {
        while let Some(pipe) = &mut self.pipe {
            match pipe.write(&self.bytes[self.done..]) {
                Ok(written) => self.done += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.pipe = None,
                Err(error) => return Err(error),
            }
            if self.done == self.bytes.len() {
                self.pipe = None;
            }
        }
        Ok(())
    }
}

/// What to do with bytes beyond the bound.
pub(crate) enum Keep {
    /// Keep the first ones and remember that there were more.
    First(usize),
    /// Keep the last ones.
    Last(usize),
}

/// One output of a child, as far as it has come.
pub(crate) struct Catch<R> {
    pipe: Option<R>,
    keep: Keep,
    lines: Lines,
    pub(crate) kept: Vec<u8>,
    pub(crate) overflow: bool,
}

pub(crate) type Stdout = Catch<ChildStdout>;
pub(crate) type Stderr = Catch<ChildStderr>;

impl<R: Read + AsFd> Catch<R> {
    pub(crate) fn new(pipe: Option<R>, keep: Keep) -> io::Result<Catch<R>> {
        pipe.as_ref().map_or(Ok(()), |pipe| ioctl_fionbio(pipe, true))?;
        Ok(Catch { pipe, keep, lines: Lines::default(), kept: Vec::new(), overflow: false })
    }

    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Takes what is there now.
    pub(crate) fn pull(&mut self, on_line: &mut dyn FnMut(&str)) -> io::Result<()> {
        let mut buffer = [0; 16 << 10];
        let mut taken = 0;
        while let Some(pipe) = &mut self.pipe
            && taken < TURN
        {
            match pipe.read(&mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(count) => {
                    taken += count;
                    self.lines.push(&buffer[..count], on_line);
                    self.keep(&buffer[..count]);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Hands over a last line without an end.
    pub(crate) fn finish(&mut self, on_line: &mut dyn FnMut(&str)) {
        self.lines.flush(on_line);
    }

    fn keep(&mut self, bytes: &[u8]) {
        match self.keep {
            Keep::First(limit) => {
                let room = limit - self.kept.len();
                self.overflow |= bytes.len() > room;
                self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
            Keep::Last(limit) => {
                self.kept.extend_from_slice(bytes);
                self.kept.drain(..self.kept.len().saturating_sub(limit));
            }
        }
    }
}
