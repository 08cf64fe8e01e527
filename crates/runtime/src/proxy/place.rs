//! Addresses as the kernel takes them.

use std::net::SocketAddr;

use rustix::{
    io::Result,
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, socket_with},
};
use spec::End;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Where one socket listens, or connects to.
#[derive(Clone, Debug)]
pub(super) enum Place {
    Ip(SocketAddr),
    Unix(SocketAddrUnix),
}

impl Place {
    /// All places of an end, in order.
    pub(super) fn all(end: &End) -> Result<Vec<Place>> {
        match end {
            End::Ip { address, ports, .. } => {
                Ok(ports.iter().map(|port| Place::Ip((*address, *port).into())).collect())
            }
            End::Path { path } => Ok(vec![Place::Unix(SocketAddrUnix::new(path.as_str())?)]),
            End::Abstract { name } => {
                Ok(vec![Place::Unix(SocketAddrUnix::new_abstract_name(name.as_bytes())?)])
            }
        }
    }

    /// A socket for it that never waits.
    pub(super) fn socket(&self, kind: SocketType) -> Result<OwnedFd> {
        let family = match self {
            Place::Ip(SocketAddr::V4(_)) => AddressFamily::INET,
            Place::Ip(SocketAddr::V6(_)) => AddressFamily::INET6,
            Place::Unix(_) => AddressFamily::UNIX,
        };
        socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)
    }

    pub(super) fn bind(&self, socket: BorrowedFd) -> Result<()> {
        match self {
            Place::Ip(address) => bind(socket, address),
            Place::Unix(address) => bind(socket, address),
        }
    }

    pub(super) fn connect(&self, socket: BorrowedFd) -> Result<()> {
        match self {
            Place::Ip(address) => connect(socket.as_fd(), address),
            Place::Unix(address) => connect(socket.as_fd(), address),
        }
    }

    pub(super) fn is_ip(&self) -> bool {
        matches!(self, Place::Ip(_))
    }
}

/// How an end is told of to people: `tcp:127.0.0.1:80`.
pub(super) fn told(end: &End, at: usize) -> String {
    match end {
        End::Ip { udp, address, ports } => {
            let port = ports.get(at).copied().unwrap_or_default();
            let kind = if *udp { "udp" } else { "tcp" };
            format!("{kind}:{}", SocketAddr::from((*address, port)))
        }
        End::Path { path } => format!("unix:{path}"),
        End::Abstract { name } => format!("unix:@{name}"),
    }
}
