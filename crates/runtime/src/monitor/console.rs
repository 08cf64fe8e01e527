//! The console: the last 128 KiB of its output, and whoever is attached.
//!
//! Each client has its place in the ring; one that reads too slowly misses what has fallen out.

use std::{
    collections::VecDeque,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    event::{PollFd, PollFlags},
    io::{Errno, ioctl_fionbio, read, write},
    net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair},
};

use super::serve::Source;
use crate::{
    container::terminal,
    error::{At, Result},
};

const RING: usize = 128 * 1024;
const CHUNK: usize = 4096;

pub(super) struct Console {
    master: OwnedFd,
    /// Held, so that the master does not hang up between two users of the console.
    slave: Option<OwnedFd>,
    ring: Ring,
    clients: Vec<Client>,
    last: u64,
}

struct Client {
    id: u64,
    stream: OwnedFd,
    /// How much of all output it has.
    seen: u64,
    /// Its input, not yet taken by the terminal.
    input: Vec<u8>,
    gone: bool,
}

#[derive(Default)]
struct Ring {
    bytes: VecDeque<u8>,
    /// How much there ever was.
    end: u64,
}

impl Ring {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        self.bytes.drain(..self.bytes.len().saturating_sub(RING));
        self.end += bytes.len() as u64;
    }

    /// What comes after the first `seen` bytes, in one piece; and where that starts.
    fn after(&self, seen: u64) -> (u64, &[u8]) {
        let start = self.end - self.bytes.len() as u64;
        let seen = seen.max(start);
        let skip = (seen - start) as usize;
        let (first, second) = self.bytes.as_slices();
        let piece = if skip < first.len() { &first[skip..] } else { &second[skip - first.len()..] };
        (seen, piece)
    }
}

impl Console {
    /// Takes master and slave.
    pub(super) fn new(fds: Vec<OwnedFd>) -> Option<Console> {
        let mut fds = fds.into_iter();
        let (master, slave) = (fds.next()?, fds.next());
        ioctl_fionbio(&master, true).ok()?;
        Some(Console { master, slave, ring: Ring::default(), clients: Vec::new(), last: 0 })
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.ring.bytes.iter().copied().collect()
    }

    pub(super) fn resize(&self, width: u16, height: u16) -> Result<()> {
        terminal::resize(self.master.as_fd(), width, height).at("resize", "console")
    }

    /// A new client's end.
    pub(super) fn attach(&mut self) -> Result<OwnedFd> {
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)
            .at("make", "console stream")?;
        self.last += 1;
        self.clients.push(Client {
            id: self.last,
            stream: ours,
            seen: self.ring.end,
            input: Vec::new(),
            gone: false,
        });
        Ok(theirs)
    }

    pub(super) fn poll<'a>(&'a self, all: &mut Vec<(Source, PollFd<'a>)>) {
        let mut add = |source, fd: BorrowedFd<'a>, flags| {
            all.push((source, PollFd::from_borrowed_fd(fd, flags)));
        };
        let mut wanted = PollFlags::empty();
        if self.slave.is_some() {
            wanted |= PollFlags::IN;
        }
        for client in &self.clients {
            let mut flags = PollFlags::empty();
            if client.input.is_empty() {
                flags |= PollFlags::IN;
            } else {
                wanted |= PollFlags::OUT;
            }
            if client.seen < self.ring.end {
                flags |= PollFlags::OUT;
            }
            add(Source::Client(client.id), client.stream.as_fd(), flags);
        }
        if !wanted.is_empty() {
            add(Source::Console, self.master.as_fd(), wanted);
        }
    }

    /// Takes one chunk of output; false if there is none now.
    pub(super) fn take_output(&mut self) -> bool {
        let mut chunk = [0; CHUNK];
        let taken = match read(&self.master, &mut chunk) {
            Ok(0) | Err(Errno::AGAIN | Errno::INTR) => false,
            Ok(len) => {
                self.ring.push(&chunk[..len]);
                true
            }
            // Hung up: vhangup(2) has closed our slave too. A new one ends that.
            Err(_) => {
                self.slave = None;
                self.slave = terminal::peer(self.master.as_fd()).ok();
                false
            }
        };
        self.flush();
        taken
    }

    /// What one client sends, or that it went.
    pub(super) fn hear(&mut self, id: u64) {
        let Some(client) = self.clients.iter_mut().find(|client| client.id == id) else { return };
        if client.input.is_empty() {
            let mut chunk = [0; CHUNK];
            match recv(&client.stream, &mut chunk[..], RecvFlags::DONTWAIT) {
                Ok((_, 0)) => client.gone = true,
                Ok((_, len)) => client.input.extend_from_slice(&chunk[..len]),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(_) => client.gone = true,
            }
        }
        self.flush();
    }

    /// Moves what can be moved without waiting.
    fn flush(&mut self) {
        for client in &mut self.clients {
            client.pass_input(self.master.as_fd());
            client.pass_output(&self.ring);
        }
        self.clients.retain(|client| !client.gone);
    }
}

impl Client {
    fn pass_input(&mut self, master: BorrowedFd) {
        match write(master, &self.input) {
            _ if self.input.is_empty() => {}
            Ok(len) => drop(self.input.drain(..len)),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.input.clear(),
        }
    }

    fn pass_output(&mut self, ring: &Ring) {
        while self.seen < ring.end && !self.gone {
            let (from, piece) = ring.after(self.seen);
            match send(&self.stream, piece, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(len) => self.seen = from + len as u64,
                Err(Errno::AGAIN | Errno::INTR) => return,
                Err(_) => self.gone = true,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_keeps_the_end() {
        let mut ring = Ring::default();
        ring.push(b"first");
        ring.push(&vec![b'x'; RING - 3]);
        ring.push(b"end");
        assert_eq!(ring.bytes.len(), RING);
        assert_eq!(ring.end, RING as u64 + 5);
        // Who has seen nothing goes on with what is left.
        let (from, _) = ring.after(0);
        assert_eq!(from, 5);
        let mut seen = ring.end - 3;
        let mut text = Vec::new();
        while seen < ring.end {
            let (from, piece) = ring.after(seen);
            text.extend_from_slice(piece);
            seen = from + piece.len() as u64;
        }
        assert_eq!(text, b"end");
    }
}
