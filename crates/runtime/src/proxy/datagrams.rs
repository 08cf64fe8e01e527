//! Datagrams: who sent some has a socket of his own to the target, until nobody has said anything for a while.

use std::{
    collections::HashMap,
    net::SocketAddr,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use rustix::{
    event::epoll::{self, EventData, EventFlags},
    io::Errno,
    net::{RecvFlags, SendFlags, SocketType, recv, recvfrom, send, sendto},
};

use super::{place::Place, serve::Token};

/// So long nobody says anything before it is over: the least that RFC 4787 (REQ-5) allows.
const IDLE: Duration = Duration::from_secs(120);
/// How often that is looked at.
pub(super) const LOOK: Duration = Duration::from_secs(10);
/// The most who are known at once. With all of them there, one who is new is not heard.
const MOST: usize = 16_384;
/// No datagram is longer.
const LONGEST: usize = 65_536;
/// So many are taken from a socket before others have their turn.
const TURNS: u32 = 64;

/// One who sent something.
struct Session {
    number: u32,
    /// Connected with the target.
    socket: OwnedFd,
    listener: usize,
    client: SocketAddr,
    last: Instant,
}

/// All of them.
pub(super) struct Datagrams {
    sessions: HashMap<u32, Session>,
    known: HashMap<(usize, SocketAddr), u32>,
    next: u32,
    looked: Instant,
    buffer: Vec<u8>,
}

impl Datagrams {
    pub(super) fn new() -> Datagrams {
        Datagrams {
            sessions: HashMap::new(),
            known: HashMap::new(),
            next: 0,
            looked: Instant::now(),
            buffer: Vec::new(),
        }
    }

    /// Sends on what came in.
    pub(super) fn hear(
        &mut self,
        (index, listener): (usize, BorrowedFd),
        target: &Place,
        epoll: &OwnedFd,
    ) {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(LONGEST, 0);
        for _ in 0..TURNS {
            // What else fails is of an earlier datagram, which nobody took.
            let (len, from) = match recvfrom(listener, &mut buffer[..], RecvFlags::DONTWAIT) {
                Ok((len, _, Some(from))) => (len, from),
                Err(Errno::AGAIN) => break,
                _ => continue,
            };
            let Ok(from) = SocketAddr::try_from(from) else { continue };
            if let Some(session) = self.session((index, from), target, epoll) {
                session.last = Instant::now();
                let _ = send(&session.socket, &buffer[..len], SendFlags::NOSIGNAL);
            }
        }
        self.buffer = buffer;
    }

    /// That of a client, which is made for one that is new; `None` if that is not possible now.
    fn session(
        &mut self,
        from: (usize, SocketAddr),
        target: &Place,
        epoll: &OwnedFd,
    ) -> Option<&mut Session> {
        if let Some(index) = self.known.get(&from) {
            return self.sessions.get_mut(index);
        }
        if self.sessions.len() >= MOST {
            return None;
        }
        let socket = target.socket(SocketType::DGRAM).ok()?;
        target.connect(socket.as_fd()).ok()?;
        self.next = self.next.wrapping_add(1);
        let index = self.next;
        let data = EventData::new_u64(Token::session(index).bits());
        epoll::add(epoll, &socket, data, EventFlags::IN).ok()?;
        self.known.insert(from, index);
        let (listener, client) = from;
        let session = Session { number: index, socket, listener, client, last: Instant::now() };
        Some(self.sessions.entry(index).or_insert(session))
    }

    /// Sends an answer back.
    pub(super) fn answer(&mut self, token: Token, listeners: &[OwnedFd]) {
        let Some(session) = self.sessions.get_mut(&token.index()) else { return };
        let Some(listener) = listeners.get(session.listener) else { return };
        self.buffer.resize(LONGEST, 0);
        for _ in 0..TURNS {
            match recv(&session.socket, &mut self.buffer[..], RecvFlags::DONTWAIT) {
                Ok((len, _)) => {
                    session.last = Instant::now();
                    let bytes = &self.buffer[..len];
                    let _ = sendto(listener, bytes, SendFlags::NOSIGNAL, &session.client);
                }
                // The target refused one, as nobody listens there: so it is with datagrams.
                Err(Errno::CONNREFUSED | Errno::INTR) => {}
                Err(_) => break,
            }
        }
    }

    /// Whether there is anybody whose time may run out.
    pub(super) fn any(&self) -> bool {
        !self.sessions.is_empty()
    }

    /// Forgets those who have said nothing for long.
    pub(super) fn sweep(&mut self) {
        let now = Instant::now();
        if now - self.looked < LOOK {
            return;
        }
        self.looked = now;
        let known = &mut self.known;
        self.sessions.retain(|_, session| {
            let stays = now - session.last < IDLE;
            if !stays && known.get(&(session.listener, session.client)) == Some(&session.number) {
                known.remove(&(session.listener, session.client));
            }
            stays
        });
        if self.sessions.is_empty() {
            self.buffer = Vec::new();
        }
    }
}
