//! Interfaces of another network namespace, through a socket that was opened in it and stays open.
//!
//! ```text
//! open ── a thread of its own enters the namespace, opens the socket and ends
//! look ─┬ something was told since ──> all links and addresses again
//!       └ nothing was ──────────────> their counters alone
//! ```
//! A thread of the runtime must never enter (invariant: no setns inside tokio), since other tasks would go on in the wrong
//! one. A socket stays in the namespace it was opened in, whoever uses it.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use rtnetlink::{
    packet_core::{NetlinkMessage, NetlinkPayload},
    packet_route::RouteNetlinkMessage,
    sys::{Socket, protocols::NETLINK_ROUTE},
};
use rustix::{
    io::Errno,
    thread::{LinkNameSpaceType, move_into_link_name_space},
};

use crate::{Counters, Error, Interface, Result, interface};

/// The stack of the opening thread, which does nothing but that.
const STACK: usize = 64 * 1024;
/// The largest piece in which the kernel answers (`linux/netlink.h`).
const ROOM: usize = 32 * 1024;
/// How much it keeps for us of what it tells unasked. What does not fit is lost, and it says so: all is asked again.
const NEWS: usize = 16 * 1024;
/// How often a list is asked for that changes while it is given.
const ATTEMPTS: usize = 4;
/// Groups of `linux/rtnetlink.h`: links, addresses of IPv4, of IPv6.
const GROUPS: [u32; 3] = [1, 5, 9];

// Of `linux/netlink.h`, `linux/rtnetlink.h` and `linux/if_link.h`.
const HEADER: usize = 16;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const INTERRUPTED: u16 = 0x10;
const REQUEST_DUMP: u16 = 0x301;
const GET_LINKS: u16 = 18;
const GET_ADDRESSES: u16 = 22;
const GET_COUNTERS: u16 = 94;
const NEW_COUNTERS: u16 = 92;
/// `struct ifinfomsg`, `struct ifaddrmsg`, and `struct if_stats_msg` that asks for the 64-bit counters.
const OF_LINKS: [u8; 16] = [0; 16];
const OF_ADDRESSES: [u8; 8] = [0; 8];
const OF_COUNTERS: [u32; 3] = [0, 0, 1];

/// A view into a network namespace, which stays as long as the view does.
#[derive(Debug)]
pub struct NetnsView {
    socket: Socket,
    /// The socket's own number: what comes with another one was not asked for.
    port: u32,
    sequence: u32,
    links: Vec<Interface>,
    stale: bool,
}

/// One piece of an answer.
struct Piece<'a> {
    kind: u16,
    whole: &'a [u8],
}

impl NetnsView {
    /// Opens a view; blocks for less than a millisecond.
    ///
    /// # Errors
    /// The namespace cannot be entered, or the kernel gives no socket.
    pub fn open(netns: OwnedFd) -> Result<NetnsView> {
        let thread = std::thread::Builder::new().name("netns".into()).stack_size(STACK);
        let opening = thread.spawn(move || {
            move_into_link_name_space(netns.as_fd(), Some(LinkNameSpaceType::Network))?;
            socket()
        });
        let opened = opening.map_err(failed("make a thread for"))?.join();
        let ended = |_| failed("look into")(io::Error::other("the opening thread ended early"));
        let (socket, port) = opened.map_err(ended)?.map_err(failed("enter"))?;
        Ok(NetnsView { socket, port, sequence: 0, links: Vec::new(), stale: true })
    }

    /// All interfaces, with addresses and counters. Does not wait for anything but the kernel's own locks.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn interfaces(&mut self) -> Result<&[Interface]> {
        self.look().map_err(|source| Error::Netlink {
            action: "list",
            object: String::from("links of a namespace"),
            source,
        })?;
        Ok(&self.links)
    }

    fn look(&mut self) -> io::Result<()> {
        self.hear()?;
        if !self.stale {
            self.count()?;
        }
        for _ in 0..ATTEMPTS {
            if !self.stale {
                break;
            }
            self.learn()?;
        }
        Ok(())
    }

    /// Takes what was told since the last look.
    fn hear(&mut self) -> io::Result<()> {
        let mut room = [0; ROOM];
        loop {
            match self.socket.recv(&mut &mut room[..], rustix::net::RecvFlags::DONTWAIT.bits() as _)
            {
                Ok(_) => self.stale = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => self.missed(error)?,
            }
        }
    }

    /// What was lost of the news makes all stale.
    fn missed(&mut self, error: io::Error) -> io::Result<()> {
        match Errno::from_io_error(&error) {
            Some(Errno::INTR) => Ok(()),
            Some(Errno::NOBUFS) => {
                self.stale = true;
                Ok(())
            }
            _ => Err(error),
        }
    }

    fn learn(&mut self) -> io::Result<()> {
        self.stale = false;
        let (mut links, mut addresses) = (Vec::new(), Vec::new());
        self.dump(GET_LINKS, &OF_LINKS, &mut |piece| {
            if let Some(RouteNetlinkMessage::NewLink(link)) = parsed(&piece)? {
                links.push(link);
            }
            Ok(())
        })?;
        self.dump(GET_ADDRESSES, &OF_ADDRESSES, &mut |piece| {
            if let Some(RouteNetlinkMessage::NewAddress(address)) = parsed(&piece)? {
                addresses.push(address);
            }
            Ok(())
        })?;
        self.links = interface::assemble(&links, &addresses);
        Ok(())
    }

    fn count(&mut self) -> io::Result<()> {
        let (mut links, mut strange) = (std::mem::take(&mut self.links), false);
        let asked: Vec<u8> = OF_COUNTERS.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let counted = self.dump(GET_COUNTERS, &asked, &mut |piece| {
            if piece.kind == NEW_COUNTERS {
                let (index, counters) = counters(piece.whole).ok_or(io::ErrorKind::InvalidData)?;
                match links.iter_mut().find(|link| link.index == index) {
                    Some(link) => link.counters = counters,
                    None => strange = true,
                }
            }
            Ok(())
        });
        self.links = links;
        self.stale |= strange;
        counted
    }

    /// Asks for all there is of something, and gives each piece of the answer.
    fn dump(
        &mut self,
        kind: u16,
        of: &[u8],
        take: &mut dyn FnMut(Piece<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        self.socket.send(&request(kind, self.sequence, of), 0)?;
        let mut room = [0; ROOM];
        loop {
            let length = match self.socket.recv(&mut &mut room[..], 0) {
                Ok(length) => length,
                Err(error) => {
                    self.missed(error)?;
                    continue;
                }
            };
            let mut rest = room.get(..length).unwrap_or_default();
            while let Some((whole, others)) = first(rest) {
                rest = others;
                let [kind, flags] = [word16(whole, 4), word16(whole, 6)];
                if word(whole, 12) != self.port {
                    self.stale = true;
                    continue;
                }
                if word(whole, 8) != self.sequence {
                    continue;
                }
                self.stale |= flags & INTERRUPTED != 0;
                match kind {
                    DONE => return Ok(()),
                    ERROR => {
                        return Err(io::Error::from_raw_os_error(-(word(whole, HEADER) as i32)));
                    }
                    kind => take(Piece { kind, whole })?,
                }
            }
        }
    }
}

/// A socket in this thread's namespace that is told what changes, and its number.
fn socket() -> io::Result<(Socket, u32)> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    let port = socket.bind_auto()?.port_number();
    socket.set_rx_buf_sz(NEWS)?;
    for group in GROUPS {
        socket.add_membership(group)?;
    }
    Ok((socket, port))
}

fn request(kind: u16, sequence: u32, of: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER + of.len());
    out.extend(u32::try_from(HEADER + of.len()).unwrap_or(u32::MAX).to_ne_bytes());
    out.extend(kind.to_ne_bytes());
    out.extend(REQUEST_DUMP.to_ne_bytes());
    out.extend(sequence.to_ne_bytes());
    out.extend([0; 4]);
    out.extend(of);
    out
}

/// The first message, and what follows it; messages begin at multiples of four.
fn first(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = word(bytes.get(..HEADER)?, 0) as usize;
    let whole = bytes.get(..length).filter(|whole| whole.len() >= HEADER)?;
    Some((whole, bytes.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

fn parsed(piece: &Piece<'_>) -> io::Result<Option<RouteNetlinkMessage>> {
    let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(piece.whole);
    Ok(match message.map_err(io::Error::other)?.payload {
        NetlinkPayload::InnerMessage(inner) => Some(inner),
        _ => None,
    })
}

/// Of `struct if_stats_msg` and the attribute `IFLA_STATS_LINK_64` with its `struct rtnl_link_stats64`: the link's index
/// and what it counted.
fn counters(whole: &[u8]) -> Option<(u32, Counters)> {
    let index = word(whole, HEADER + 4);
    let values = whole.get(HEADER + 12 + 4..)?;
    let value = |at: usize| {
        let bytes = values.get(at * 8..at * 8 + 8)?;
        Some(u64::from_ne_bytes(bytes.try_into().ok()?))
    };
    let counters = Counters {
        packets_received: value(0)?,
        packets_sent: value(1)?,
        bytes_received: value(2)?,
        bytes_sent: value(3)?,
        errors_received: value(4)?,
        errors_sent: value(5)?,
        packets_dropped_inbound: value(6)?,
        packets_dropped_outbound: value(7)?,
    };
    Some((index, counters))
}

/// Zero where there is none.
fn word(bytes: &[u8], at: usize) -> u32 {
    let found = bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    found.map_or(0, u32::from_ne_bytes)
}

fn word16(bytes: &[u8], at: usize) -> u16 {
    let found = bytes.get(at..at + 2).and_then(|bytes| bytes.try_into().ok());
    found.map_or(0, u16::from_ne_bytes)
}

fn failed(action: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Namespace { action, source }
}
