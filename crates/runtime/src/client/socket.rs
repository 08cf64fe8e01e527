//! Reaching the socket of a monitor, however long its path is.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    io::Errno,
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with},
};

use crate::{
    error::{At, Result},
    protocol::SOCKET,
};

/// A folder, to be used in place of its path.
pub(crate) fn open_folder(path: &Path) -> io::Result<OwnedFd> {
    Ok(openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Its address: a socket's path may have 108 bytes, an instance's folder more; a descriptor's
/// path is short.
pub(crate) fn address(folder: BorrowedFd) -> io::Result<SocketAddrUnix> {
    Ok(SocketAddrUnix::new(format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd()))?)
}

/// Connects; `None` if nobody listens.
pub(crate) fn dial(folder: BorrowedFd) -> Result<Option<OwnedFd>> {
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
        .at("make", "socket")?;
    match connect(socket.as_fd(), &address(folder).at("name", SOCKET)?) {
        Ok(()) => Ok(Some(socket)),
        Err(Errno::NOENT | Errno::CONNREFUSED) => Ok(None),
        Err(error) => Err(error).at("connect to", SOCKET),
    }
}
