//! The loop.

use std::{
    os::fd::{AsFd, OwnedFd},
    time::{Duration, Instant},
};

use rustix::{
    event::{
        Timespec,
        epoll::{self, CreateFlags, Event, EventData, EventFlags},
    },
    io::Errno,
    net::{Shutdown, SocketFlags, accept_with, shutdown},
};
use spec::ProxySpec;

use super::{
    control,
    datagrams::{self, Datagrams},
    listen::Listening,
    place::Place,
    streams::{self, How, Streams},
};
use crate::{
    error::{At, Result},
    protocol::packet,
};

/// With no descriptor or memory left for another connection, nobody is accepted for so long.
const BREATH: Duration = Duration::from_millis(100);
/// So many are accepted at once before others have their turn.
const TURNS: u32 = 64;

/// Where something happened, as one number: kind, side, the slot's number, and its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token(u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Init,
    Control,
    Listener,
    Stream,
    Session,
}

/// How many bits of a slot's number are kept.
const NUMBER: u64 = (1 << 24) - 1;

impl Token {
    fn new(kind: Kind, index: u32) -> Token {
        Token((kind as u64) << 60 | u64::from(index))
    }

    pub(super) fn stream(index: u32, number: u32, side: u32) -> Token {
        let number = u64::from(number) & NUMBER;
        Token(Token::new(Kind::Stream, index).0 | u64::from(side) << 56 | number << 32)
    }

    pub(super) fn session(index: u32) -> Token {
        Token::new(Kind::Session, index)
    }

    pub(super) fn bits(self) -> u64 {
        self.0
    }

    pub(super) fn index(self) -> u32 {
        (self.0 & u64::from(u32::MAX)) as u32
    }

    pub(super) fn side(self) -> usize {
        (self.0 >> 56 & 1) as usize
    }

    /// The same of another side.
    pub(super) fn of_side(self, side: u32) -> Token {
        Token(self.0 & !(1 << 56) | u64::from(side) << 56)
    }

    /// Whether it is of who is in the slot now.
    pub(super) fn is_of(self, number: u32) -> bool {
        self.0 >> 32 & NUMBER == u64::from(number) & NUMBER
    }

    fn kind(self) -> Kind {
        let kinds = [Kind::Init, Kind::Control, Kind::Listener, Kind::Stream];
        let kind = kinds.into_iter().find(|kind| *kind as u64 == self.0 >> 60);
        kind.unwrap_or(Kind::Session)
    }
}

/// All that serves.
pub(super) struct Server {
    proxy: ProxySpec,
    epoll: OwnedFd,
    control: OwnedFd,
    /// Readable when the instance's first process ended.
    _init: OwnedFd,
    listeners: Vec<OwnedFd>,
    keeper: Option<OwnedFd>,
    targets: Vec<Place>,
    streams: Streams,
    datagrams: Datagrams,
    /// Until then nobody is accepted.
    rests: Option<Instant>,
}

impl Server {
    pub(super) fn new(
        proxy: ProxySpec,
        (init, control): (OwnedFd, OwnedFd),
        Listening { sockets, keeper }: Listening,
    ) -> Result<Server> {
        let epoll = epoll::create(CreateFlags::CLOEXEC).at("make", "epoll")?;
        let watch = |fd: &OwnedFd, token: Token| {
            let data = EventData::new_u64(token.bits());
            epoll::add(&epoll, fd, data, EventFlags::IN).at("watch", "socket")
        };
        watch(&init, Token::new(Kind::Init, 0))?;
        watch(&control, Token::new(Kind::Control, 0))?;
        for (index, socket) in (0..).zip(&sockets) {
            watch(socket, Token::new(Kind::Listener, index))?;
        }
        Ok(Server {
            targets: Place::all(&proxy.connect).at("name", "target")?,
            proxy,
            epoll,
            control,
            _init: init,
            listeners: sockets,
            keeper,
            streams: Streams::default(),
            datagrams: Datagrams::new(),
            rests: None,
        })
    }

    /// Serves until the instance ends, or a daemon wants it to.
    pub(super) fn serve(mut self) -> Result<()> {
        let mut events = Vec::with_capacity(256);
        loop {
            let timeout = self.timeout();
            events.clear();
            match epoll::wait(
                &self.epoll,
                rustix::buffer::spare_capacity(&mut events),
                timeout.as_ref(),
            ) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error).at("wait for", "events"),
            }
            for Event { flags, data } in events.iter().copied() {
                let token = Token(data.u64());
                match token.kind() {
                    Kind::Init => return self.end(None),
                    Kind::Control => {
                        if let Some(who) = control::answer(&self.control, &self.proxy) {
                            return self.end(Some(who));
                        }
                    }
                    Kind::Listener => self.hear(token.index() as usize),
                    Kind::Stream => self.streams.wake(token, flags),
                    Kind::Session => self.datagrams.answer(token, &self.listeners),
                }
            }
            self.streams.go_on();
            self.tick();
        }
    }

    /// How long nothing is to be done if nothing happens.
    fn timeout(&self) -> Option<Timespec> {
        let all = [
            (self.streams.is_busy(), Duration::ZERO),
            (self.streams.waits(), streams::AGAIN),
            (self.rests.is_some(), BREATH),
            (self.datagrams.any(), datagrams::LOOK),
        ];
        let (_, shortest) = all.into_iter().filter(|(is, _)| *is).min_by_key(|(_, time)| *time)?;
        Timespec::try_from(shortest).ok()
    }

    fn tick(&mut self) {
        self.datagrams.sweep();
        if self.streams.waits() {
            self.streams.try_again();
        }
        if self.rests.is_some_and(|until| Instant::now() >= until) {
            self.rests = None;
            self.listen_for(EventFlags::IN);
        }
    }

    fn listen_for(&self, what: EventFlags) {
        for (index, socket) in (0..).zip(&self.listeners) {
            let data = EventData::new_u64(Token::new(Kind::Listener, index).bits());
            // It was added before, which is all that could fail.
            let _ = epoll::modify(&self.epoll, socket, data, what);
        }
    }

    fn hear(&mut self, index: usize) {
        let target = if self.targets.len() == 1 { 0 } else { index };
        let (Some(listener), Some(target)) = (self.listeners.get(index), self.targets.get(target))
        else {
            return;
        };
        if self.proxy.listen.is_udp() {
            return self.datagrams.hear((index, listener.as_fd()), target, &self.epoll);
        }
        let how = How {
            epoll: &self.epoll,
            target,
            from_ip: !self.proxy.listen.is_unix(),
            header: self.proxy.header,
        };
        for _ in 0..TURNS {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let opened =
                accept_with(listener, flags).and_then(|client| self.streams.open(client, &how));
            match opened {
                Ok(()) => {}
                Err(Errno::AGAIN) => return,
                Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM | Errno::NOSPC) => {
                    self.rests = Some(Instant::now() + BREATH);
                    return self.listen_for(EventFlags::empty());
                }
                // It went away while it waited, or the kernel tells of it what is of its connection (accept(2)).
                Err(_) => {}
            }
        }
    }

    /// Closes all; who wanted it is told by the end of his connection.
    fn end(self, who: Option<OwnedFd>) -> Result<()> {
        let Server { listeners, streams, datagrams, keeper, .. } = self;
        drop((listeners, streams, datagrams));
        if let Some(keeper) = keeper {
            // A proxy that comes next makes a socket at the same path.
            let _ = shutdown(&keeper, Shutdown::Write);
            let _ = packet::recv::<()>(keeper.as_fd());
        }
        drop(who);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_a_token_comes_out_of_it() {
        let token = Token::stream(70_000, 0x0123_4567, 1);
        assert_eq!((token.kind(), token.index(), token.side()), (Kind::Stream, 70_000, 1));
        assert!(token.is_of(0x0123_4567) && !token.is_of(0x0123_4568));
        let other = token.of_side(0);
        assert_eq!((other.side(), other.index()), (0, 70_000));
        assert!(other.is_of(0x0123_4567));
        assert_eq!(Token::session(u32::MAX).kind(), Kind::Session);
        assert_eq!(Token::session(u32::MAX).index(), u32::MAX);
        assert_eq!(Token::new(Kind::Listener, 3).kind(), Kind::Listener);
    }
}
