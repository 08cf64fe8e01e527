//! One direction of a connection.
//!
//! ```text
//! source readable ── take ──> held ── give ──> target, as it takes it
//! source ended    ── all was given ──> the target is told, and may still answer
//! ```
//! What is held is in a pipe of the kernel's, so that the bytes are never copied here. Between two sockets of the
//! machine's own they are, as descriptors may come along.

use std::{
    io::{IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    io::Errno,
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, Shutdown, recvmsg, sendmsg, shutdown,
    },
};

/// What is taken at once: as much as a pipe holds.
const CHUNK: usize = 64 * 1024;
/// The most descriptors of one message (`SCM_MAX_FD`).
const MOST_FDS: usize = 253;
/// How often one direction may take and give before others have their turn.
const TURNS: u32 = 16;
/// So many pipes wait for the next who needs one.
const SPARE_PIPES: usize = 32;

/// Whether a socket can be read and written, as far as is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ready {
    pub(super) readable: bool,
    pub(super) writable: bool,
}

/// A pipe of the kernel's: where it is read, and where it is written.
#[derive(Debug)]
struct Pipe(OwnedFd, OwnedFd);

/// Pipes that nobody holds anything in.
#[derive(Debug, Default)]
pub(super) struct Pipes(Vec<Pipe>);

impl Pipes {
    fn take(&mut self) -> Option<Pipe> {
        self.0.pop().or_else(|| {
            let (read, write) = std::io::pipe().ok()?;
            Some(Pipe(read.into(), write.into()))
        })
    }

    fn put(&mut self, pipe: Pipe) {
        if self.0.len() < SPARE_PIPES {
            self.0.push(pipe);
        }
    }
}

/// What was taken and not yet given.
#[derive(Debug)]
enum Held {
    Nothing,
    Piped { pipe: Pipe, len: usize },
    Bytes { bytes: Vec<u8>, from: usize, fds: Vec<OwnedFd> },
}

/// How far a direction came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing to do until one of the sockets is ready.
    Waits,
    /// There is more to do, after others had their turn.
    More,
    /// The source ended, and the target knows.
    Over,
}

/// One direction of a connection.
#[derive(Debug)]
pub(super) struct Flow {
    held: Held,
    /// Bytes go by our own memory: with descriptors, or as the kernel cannot do it another way.
    copies: bool,
    ended: bool,
    told: bool,
}

impl Flow {
    /// One that has something to give before all else.
    pub(super) fn new(first: Vec<u8>, copies: bool) -> Flow {
        let held = match first.is_empty() {
            true => Held::Nothing,
            false => Held::Bytes { bytes: first, from: 0, fds: Vec::new() },
        };
        Flow { held, copies, ended: false, told: false }
    }

    /// Whether the target was told of the end.
    pub(super) fn is_over(&self) -> bool {
        self.told
    }

    /// Moves what can be moved. An error is the end of the whole connection.
    pub(super) fn pump(
        &mut self,
        (source, from): (BorrowedFd, &mut Ready),
        (target, to): (BorrowedFd, &mut Ready),
        pipes: &mut Pipes,
    ) -> Result<Progress, Errno> {
        for _ in 0..TURNS {
            let (done, ready) = if !matches!(self.held, Held::Nothing) {
                if !to.writable {
                    return Ok(Progress::Waits);
                }
                (self.give(target, pipes), &mut to.writable)
            } else if self.ended {
                self.tell(target);
                return Ok(Progress::Over);
            } else if from.readable {
                (self.take(source, pipes), &mut from.readable)
            } else {
                return Ok(Progress::Waits);
            };
            match done {
                Ok(()) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => *ready = false,
                Err(error) => return Err(error),
            }
        }
        Ok(Progress::More)
    }

    fn tell(&mut self, target: BorrowedFd) {
        if !self.told {
            // One that is gone needs not be told.
            let _ = shutdown(target, Shutdown::Write);
            self.told = true;
        }
    }

    fn take(&mut self, source: BorrowedFd, pipes: &mut Pipes) -> Result<(), Errno> {
        if !self.copies
            && let Some(pipe) = pipes.take()
        {
            match splice(source, pipe.1.as_fd(), CHUNK) {
                Ok(0) => self.ended = true,
                Ok(len) => {
                    self.held = Held::Piped { pipe, len };
                    return Ok(());
                }
                Err(Errno::INVAL) => self.copies = true,
                Err(error) => {
                    pipes.put(pipe);
                    return Err(error);
                }
            }
            pipes.put(pipe);
            return Ok(());
        }
        self.receive(source)
    }

    fn receive(&mut self, source: BorrowedFd) -> Result<(), Errno> {
        let mut bytes = vec![0; CHUNK];
        let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FDS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(&mut bytes)];
        let received = recvmsg(source, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC)?;
        let mut fds = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                fds.extend(rights);
            }
        }
        match received.bytes {
            0 => self.ended = true,
            len => {
                bytes.truncate(len);
                bytes.shrink_to_fit();
                self.held = Held::Bytes { bytes, from: 0, fds };
            }
        }
        Ok(())
    }

    fn give(&mut self, target: BorrowedFd, pipes: &mut Pipes) -> Result<(), Errno> {
        match &mut self.held {
            Held::Nothing => return Ok(()),
            Held::Piped { pipe, len } => {
                *len -= splice(pipe.0.as_fd(), target, *len)?.min(*len);
                if *len > 0 {
                    return Ok(());
                }
            }
            Held::Bytes { bytes, from, fds } => {
                *from += send(target, &bytes[*from..], fds)?;
                // They went with the first byte.
                fds.clear();
                if *from < bytes.len() {
                    return Ok(());
                }
            }
        }
        if let Held::Piped { pipe, .. } = std::mem::replace(&mut self.held, Held::Nothing) {
            pipes.put(pipe);
        }
        Ok(())
    }
}

fn splice(from: BorrowedFd, to: BorrowedFd, len: usize) -> Result<usize, Errno> {
    sys::splice(from, to, len).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

fn send(target: BorrowedFd, bytes: &[u8], fds: &[OwnedFd]) -> Result<usize, Errno> {
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds: Vec<BorrowedFd> = fds.iter().map(AsFd::as_fd).collect();
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(Errno::MSGSIZE);
    }
    sendmsg(target, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        os::unix::net::UnixStream,
    };

    use super::*;

    fn pair() -> (UnixStream, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        (ours, theirs)
    }

    fn ready() -> Ready {
        Ready { readable: true, writable: true }
    }

    #[test]
    fn what_comes_after_a_header_arrives_in_order_and_the_end_is_told() {
        for copies in [false, true] {
            let (mut client, source) = pair();
            let (mut server, target) = pair();
            client.write_all(b"hello").unwrap();
            client.shutdown(std::net::Shutdown::Write).unwrap();
            let mut flow = Flow::new(b"first ".to_vec(), copies);
            let (mut from, mut to) = (ready(), ready());
            let mut pipes = Pipes::default();
            let from = (source.as_fd(), &mut from);
            let over = flow.pump(from, (target.as_fd(), &mut to), &mut pipes).unwrap();
            assert_eq!(over, Progress::Over);
            let mut text = String::new();
            server.read_to_string(&mut text).unwrap();
            assert_eq!(text, "first hello");
        }
    }

    #[test]
    fn a_target_that_takes_nothing_holds_up_the_source() {
        for copies in [false, true] {
            let (client, source) = pair();
            let (mut server, target) = pair();
            client.set_nonblocking(true).unwrap();
            let bytes: Vec<u8> = (0..2_000_000_u32).map(|it| (it % 251) as u8).collect();
            let (mut flow, mut pipes) = (Flow::new(Vec::new(), copies), Pipes::default());
            let (mut sent, mut got) = (0, Vec::new());
            let mut buffer = vec![0; 100_000];
            while got.len() < bytes.len() {
                while sent < bytes.len()
                    && let Ok(len) = (&client).write(&bytes[sent..])
                {
                    sent += len;
                }
                let (mut from, mut to) = (ready(), ready());
                let from = (source.as_fd(), &mut from);
                flow.pump(from, (target.as_fd(), &mut to), &mut pipes).unwrap();
                let len = server.read(&mut buffer).unwrap();
                got.extend_from_slice(&buffer[..len]);
            }
            assert!(got == bytes);
        }
    }
}
