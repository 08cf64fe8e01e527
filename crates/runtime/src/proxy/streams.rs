//! Connections: who came in, and what they are connected with.

use std::{
    net::SocketAddr,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use rustix::{
    event::epoll::{self, EventData, EventFlags},
    io::Errno,
    net::{SocketType, getpeername, getsockname, sockopt},
};

use super::{
    flow::{Flow, Pipes, Progress, Ready},
    header,
    place::Place,
    serve::Token,
};

/// A socket of the machine's own has no room for one more who waits: tried again after this.
pub(super) const AGAIN: Duration = Duration::from_millis(20);
/// For so long.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection: the end that came in, and the one that goes out.
struct Stream {
    ends: [OwnedFd; 2],
    ready: [Ready; 2],
    /// From the first to the second, and back.
    flows: [Flow; 2],
    /// Until the second is connected: to where, and how long it is tried.
    to: Option<(Place, Instant)>,
    is_ip: [bool; 2],
}

/// A place in the table. Its number grows, so that what is said of one that was there before is not heard.
#[derive(Default)]
struct Slot {
    number: u32,
    stream: Option<Stream>,
}

/// All connections.
#[derive(Default)]
pub(super) struct Streams {
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Have more to do.
    busy: Vec<Token>,
    /// To be connected again.
    again: Vec<Token>,
    pipes: Pipes,
}

/// What goes with each connection of a proxy.
pub(super) struct How<'a> {
    pub(super) epoll: &'a OwnedFd,
    pub(super) target: &'a Place,
    /// Whether who came in is at an address.
    pub(super) from_ip: bool,
    pub(super) header: bool,
}

impl Streams {
    /// Takes in one that was accepted.
    pub(super) fn open(&mut self, client: OwnedFd, how: &How<'_>) -> Result<(), Errno> {
        let first = match how.header {
            true => header::line(addresses(&client)),
            false => Vec::new(),
        };
        let target = how.target.socket(SocketType::STREAM)?;
        let is_ip = [how.from_ip, how.target.is_ip()];
        let ends = [client, target];
        for (end, is_ip) in ends.iter().zip(is_ip) {
            if is_ip {
                sockopt::set_tcp_nodelay(end, true)?;
                // A peer that is gone without a word is found out.
                sockopt::set_socket_keepalive(end, true)?;
            }
        }
        let copies = !is_ip[0] && !is_ip[1];
        let flows = [Flow::new(first, copies), Flow::new(Vec::new(), copies)];
        let ready = [Ready { readable: true, writable: true }; 2];
        let to = Some((how.target.clone(), Instant::now() + PATIENCE));
        let token = self.place(Stream { ends, ready, flows, to, is_ip });
        self.register(token, how.epoll)?;
        self.connect(token);
        Ok(())
    }

    fn place(&mut self, stream: Stream) -> Token {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let slot = &mut self.slots[index as usize];
        slot.number = slot.number.wrapping_add(1);
        slot.stream = Some(stream);
        Token::stream(index, slot.number, 0)
    }

    fn register(&mut self, token: Token, epoll: &OwnedFd) -> Result<(), Errno> {
        let Some(stream) = self.get(token) else { return Ok(()) };
        let edge = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        let mut added = Ok(());
        for side in [0, 1] {
            let data = EventData::new_u64(token.of_side(side).bits());
            added = added.and(epoll::add(epoll, &stream.ends[side as usize], data, edge));
        }
        if added.is_err() {
            self.close(token);
        }
        added
    }

    fn get(&mut self, token: Token) -> Option<&mut Stream> {
        let slot = self.slots.get_mut(token.index() as usize)?;
        (token.is_of(slot.number)).then_some(slot.stream.as_mut())?
    }

    fn connect(&mut self, token: Token) {
        let Some(stream) = self.get(token) else { return };
        let Some((place, until)) = &stream.to else { return };
        match place.connect(stream.ends[1].as_fd()) {
            Ok(()) | Err(Errno::ISCONN) => {
                stream.to = None;
                self.pump(token);
            }
            Err(Errno::INPROGRESS | Errno::ALREADY) => {}
            Err(Errno::AGAIN) if Instant::now() < *until => self.again.push(token),
            Err(_) => self.abort(token),
        }
    }

    /// One of its ends is ready for more.
    pub(super) fn wake(&mut self, token: Token, flags: EventFlags) {
        let Some(stream) = self.get(token) else { return };
        let side = token.side();
        let broken = flags.intersects(EventFlags::HUP | EventFlags::ERR);
        stream.ready[side].readable |=
            broken || flags.intersects(EventFlags::IN | EventFlags::RDHUP);
        stream.ready[side].writable |= broken || flags.contains(EventFlags::OUT);
        match &stream.to {
            None => self.pump(token),
            Some((place, _)) if side == 1 && place.is_ip() => {
                match sockopt::socket_error(&stream.ends[1]) {
                    Ok(Ok(())) if flags.contains(EventFlags::OUT) && !broken => self.connect(token),
                    Ok(Ok(())) => {}
                    _ => self.abort(token),
                }
            }
            // Who came in has gone again before all began.
            Some(_) if side == 0 && broken => self.abort(token),
            Some(_) => {}
        }
    }

    fn pump(&mut self, token: Token) {
        let Some(slot) = self.slots.get_mut(token.index() as usize) else { return };
        let Some(stream) = slot.stream.as_mut() else { return };
        let Stream { ends: [a, b], ready: [ready_a, ready_b], flows: [there, back], .. } = stream;
        let forth = there.pump((a.as_fd(), ready_a), (b.as_fd(), ready_b), &mut self.pipes);
        let forth = forth.and_then(|forth| {
            let back = back.pump((b.as_fd(), ready_b), (a.as_fd(), ready_a), &mut self.pipes)?;
            Ok((forth, back))
        });
        match forth {
            Err(_) => self.abort(token),
            Ok((Progress::More, _) | (_, Progress::More)) => self.busy.push(token),
            Ok(_) if there.is_over() && back.is_over() => self.close(token),
            Ok(_) => {}
        }
    }

    /// Both ends are told that it broke, where they can be: a client must not take half an answer for a whole one.
    fn abort(&mut self, token: Token) {
        if let Some(stream) = self.get(token) {
            for (end, _) in stream.ends.iter().zip(stream.is_ip).filter(|(_, is_ip)| *is_ip) {
                let _ = sockopt::set_socket_linger(end, Some(Duration::ZERO));
            }
        }
        self.close(token);
    }

    fn close(&mut self, token: Token) {
        let Some(slot) = self.slots.get_mut(token.index() as usize) else { return };
        if token.is_of(slot.number) && slot.stream.take().is_some() {
            self.free.push(token.index());
        }
    }

    /// Goes on with those that had more to do.
    pub(super) fn go_on(&mut self) {
        for token in std::mem::take(&mut self.busy) {
            if self.get(token).is_some() {
                self.pump(token);
            }
        }
    }

    /// Whether some have more to do now.
    pub(super) fn is_busy(&self) -> bool {
        !self.busy.is_empty()
    }

    /// Whether some wait for room at their target.
    pub(super) fn waits(&self) -> bool {
        !self.again.is_empty()
    }

    /// Tries those again.
    pub(super) fn try_again(&mut self) {
        for token in std::mem::take(&mut self.again) {
            self.connect(token);
        }
    }
}

/// Who came in, and where; `None` at a socket of the machine's own.
fn addresses(client: &OwnedFd) -> Option<(SocketAddr, SocketAddr)> {
    let client: BorrowedFd = client.as_fd();
    let from = SocketAddr::try_from(getpeername(client).ok()??).ok()?;
    Some((from, SocketAddr::try_from(getsockname(client).ok()?).ok()?))
}
