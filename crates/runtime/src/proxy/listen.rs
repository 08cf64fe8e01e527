//! The sockets to listen at.
//!
//! A child makes them, on their side, as root there: it joins the instance's namespaces, out of which there is no
//! way back. That of a socket at a path stays, as whoever serves cannot remove it: it waits until the proxy
//! is gone, whatever ended it, and removes the socket.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{AtFlags, CWD, FileType, Gid, Mode, Stat, Uid, chownat, lstat, unlink},
    io::Errno,
    net::{SocketType, listen as listen_at, sockopt},
    process::{WaitId, WaitIdOptions, umask, waitid},
    thread::{ThreadNameSpaceType, move_into_thread_name_spaces},
};
use serde::{Deserialize, Serialize};
use spec::{End, InstanceSpec, ProxySpec, SocketOwner};
use sys::Fork;

use super::place::{Place, told};
use crate::{
    container::identity::become_root,
    error::{At, Error, Fault, Result},
    protocol::packet,
};

/// The most descriptors that go into one packet.
const AT_ONCE: usize = 8;
/// Connections that may wait to be accepted; the kernel's own limit (`net.core.somaxconn`) is lower mostly.
const WAITING: i32 = 4096;

/// What is listened at, one for each port.
pub(super) struct Listening {
    pub(super) sockets: Vec<OwnedFd>,
    /// While this is open, a socket at a path stays.
    pub(super) keeper: Option<OwnedFd>,
}

/// What the child says.
#[derive(Debug, Serialize, Deserialize)]
enum Word {
    /// Carries sockets.
    Sockets,
    Done,
    Failed {
        fault: Fault,
    },
}

/// Makes them.
pub(super) fn listen(
    instance: &InstanceSpec,
    proxy: &ProxySpec,
    init: &OwnedFd,
) -> Result<Listening> {
    let (ours, theirs) = packet::pair()?;
    let mut both = (Some(ours), Some(theirs));
    let child = sys::fork(&Fork::default(), || {
        both.0 = None;
        both.1.take().map_or(1, |link| in_child(instance, proxy, init.as_fd(), &link))
    })
    .at("fork", "child")?;
    let (Some(ours), theirs) = both else { return Err(Error::Gone) };
    drop(theirs);
    let mut sockets = Vec::new();
    loop {
        match packet::recv(ours.as_fd())? {
            Some((Word::Sockets, fds)) => sockets.extend(fds),
            Some((Word::Done, _)) => break,
            Some((Word::Failed { fault }, _)) => return Err(fault.into()),
            None => return Err(Error::Gone),
        }
    }
    let stays = matches!(proxy.listen, End::Path { .. });
    if !stays {
        let ended = WaitIdOptions::EXITED;
        waitid(WaitId::PidFd(child.pidfd.as_fd()), ended).at("wait for", "child")?;
    }
    Ok(Listening { sockets, keeper: stays.then_some(ours) })
}

fn in_child(instance: &InstanceSpec, proxy: &ProxySpec, init: BorrowedFd, link: &OwnedFd) -> i32 {
    let say = |word: &Word, fds: &[BorrowedFd]| packet::send(link.as_fd(), word, fds, true);
    let made = join(instance, proxy, init).and_then(|()| make(proxy));
    let sockets = match made {
        Ok(sockets) => sockets,
        Err(error) => {
            let _ = say(&Word::Failed { fault: Fault::from(&error) }, &[]);
            return 1;
        }
    };
    for some in sockets.chunks(AT_ONCE) {
        let fds: Vec<BorrowedFd> = some.iter().map(AsFd::as_fd).collect();
        if say(&Word::Sockets, &fds).is_err() {
            return 1;
        }
    }
    drop(sockets);
    let End::Path { path } = &proxy.listen else {
        return i32::from(say(&Word::Done, &[]).is_err());
    };
    let made = lstat(path.as_str());
    if say(&Word::Done, &[]).is_ok() {
        // Whatever comes, in the end it is the end.
        while let Ok(Some((Word::Sockets | Word::Done, _))) = packet::recv(link.as_fd()) {}
    }
    if let (Ok(made), Ok(there)) = (made, lstat(path.as_str()))
        && same(&made, &there)
    {
        let _ = unlink(path.as_str());
    }
    0
}

fn same(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

/// Goes to the side where it listens.
fn join(instance: &InstanceSpec, proxy: &ProxySpec, init: BorrowedFd) -> Result<()> {
    if !proxy.inside {
        return Ok(());
    }
    let mut sides = ThreadNameSpaceType::NETWORK | ThreadNameSpaceType::MOUNT;
    if !instance.privileged() {
        sides |= ThreadNameSpaceType::USER;
    }
    move_into_thread_name_spaces(init, sides).at("join", "namespaces")?;
    become_root()
}

fn make(proxy: &ProxySpec) -> Result<Vec<OwnedFd>> {
    let end = &proxy.listen;
    let places = Place::all(end).at("name", told(end, 0))?;
    let one = |(at, place): (usize, &Place)| {
        let made = match end {
            End::Ip { udp, .. } => at_address(place, *udp, proxy.inside),
            End::Path { path } => at_path(place, Path::new(path), proxy.socket),
            End::Abstract { .. } => stream(place, |socket| place.bind(socket)),
        };
        made.at("listen on", told(end, at))
    };
    places.iter().enumerate().map(one).collect()
}

fn stream(
    place: &Place,
    bind: impl FnOnce(BorrowedFd) -> rustix::io::Result<()>,
) -> rustix::io::Result<OwnedFd> {
    let socket = place.socket(SocketType::STREAM)?;
    bind(socket.as_fd())?;
    listen_at(&socket, WAITING)?;
    Ok(socket)
}

fn at_address(place: &Place, udp: bool, inside: bool) -> rustix::io::Result<OwnedFd> {
    let bind = |socket: BorrowedFd| {
        if inside && let Place::Ip(address) = place {
            // The instance may get its addresses later.
            match address.is_ipv4() {
                true => sockopt::set_ip_freebind(socket, true)?,
                false => sockopt::set_ipv6_freebind(socket, true)?,
            }
        }
        place.bind(socket)
    };
    if udp {
        let socket = place.socket(SocketType::DGRAM)?;
        bind(socket.as_fd())?;
        return Ok(socket);
    }
    stream(place, |socket| {
        // Connections of a proxy before this one may still be about to end.
        sockopt::set_socket_reuseaddr(socket, true)?;
        bind(socket)
    })
}

/// The umask gives it its mode from the first moment on.
fn at_path(place: &Place, path: &Path, owner: SocketOwner) -> rustix::io::Result<OwnedFd> {
    umask(Mode::from_raw_mode(0o777 & !owner.mode));
    let socket = stream(place, |socket| match place.bind(socket) {
        Err(Errno::ADDRINUSE) if is_left_over(place, path) => {
            unlink(path)?;
            place.bind(socket)
        }
        bound => bound,
    })?;
    let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
    chownat(CWD, path, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(socket)
}

/// Whether it is a socket that nobody listens at any more.
fn is_left_over(place: &Place, path: &Path) -> bool {
    let is_socket =
        lstat(path).is_ok_and(|it| FileType::from_raw_mode(it.st_mode) == FileType::Socket);
    let refused = || {
        let socket = place.socket(SocketType::STREAM)?;
        place.connect(socket.as_fd())
    };
    is_socket && refused() == Err(Errno::CONNREFUSED)
}
