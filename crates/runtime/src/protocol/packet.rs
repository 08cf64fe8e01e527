//! One packet: a JSON message and descriptors.

use std::{
    fs::File,
    io::{self, IoSlice, IoSliceMut, Read, Seek, Write},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    fs::{MemfdFlags, memfd_create},
    io::retry_on_intr,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
    },
};
use serde::{Serialize, de::DeserializeOwned};

use crate::error::{At, Result};

/// Longer messages travel in a memory file, which has no limit.
const INLINE: usize = 32 * 1024;
/// First byte: the message follows, or is in the first descriptor.
const HERE: u8 = b'h';
const IN_FILE: u8 = b'f';
/// The most descriptors of one packet.
const DESCRIPTORS: usize = 8;

/// A connected pair.
pub(crate) fn pair() -> Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC;
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).at("make", "socket pair")
}

/// Sends; with `wait` off, a peer that does not read is an error.
pub(crate) fn send<T: Serialize>(
    socket: BorrowedFd,
    message: &T,
    fds: &[BorrowedFd],
    wait: bool,
) -> Result<()> {
    let body = serde_json::to_vec(message)?;
    if body.len() <= INLINE {
        return send_raw(socket, HERE, &body, fds, wait).at("send", "message");
    }
    let file = memory_file(&body).at("write", "message")?;
    let mut all = vec![file.as_fd()];
    all.extend_from_slice(fds);
    send_raw(socket, IN_FILE, &[], &all, wait).at("send", "message")
}

/// Receives; `None` is the end.
pub(crate) fn recv<T: DeserializeOwned>(socket: BorrowedFd) -> Result<Option<(T, Vec<OwnedFd>)>> {
    let mut buffer = vec![0; INLINE + 1];
    let (len, mut fds) = match recv_raw(socket, &mut buffer) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
        result => result.at("receive", "message")?,
    };
    match buffer[..len].split_first() {
        None => Ok(None),
        Some((&IN_FILE, _)) if !fds.is_empty() => {
            let bytes = read_file(fds.remove(0)).at("read", "message")?;
            Ok(Some((serde_json::from_slice(&bytes)?, fds)))
        }
        Some((_, body)) => Ok(Some((serde_json::from_slice(body)?, fds))),
    }
}

/// Bytes in a memory file, to be passed on.
pub(crate) fn memory_file(bytes: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create("microcloud", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    Ok(file)
}

/// All of a memory file.
pub(crate) fn read_file(fd: OwnedFd) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut file = File::from(fd);
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn send_raw(
    socket: BorrowedFd,
    kind: u8,
    body: &[u8],
    fds: &[BorrowedFd],
    wait: bool,
) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let wait = if wait { SendFlags::empty() } else { SendFlags::DONTWAIT };
    let kind = [kind];
    let parts = [IoSlice::new(&kind), IoSlice::new(body)];
    retry_on_intr(|| sendmsg(socket, &parts, &mut control, SendFlags::NOSIGNAL | wait))?;
    Ok(())
}

fn recv_raw(socket: BorrowedFd, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = retry_on_intr(|| {
        let mut parts = [IoSliceMut::new(buffer)];
        recvmsg(socket, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC)
    })?;
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    Ok((received.bytes, fds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_messages_and_descriptors_arrive() {
        let (a, b) = pair().unwrap();
        let long = "x".repeat(300_000);
        let extra = memory_file(b"extra").unwrap();
        send(a.as_fd(), &long, &[extra.as_fd()], true).unwrap();
        send(a.as_fd(), &"short", &[], true).unwrap();
        let (first, fds): (String, _) = recv(b.as_fd()).unwrap().unwrap();
        assert_eq!(first, long);
        assert_eq!(read_file(fds.into_iter().next().unwrap()).unwrap(), b"extra");
        assert_eq!(recv::<String>(b.as_fd()).unwrap().unwrap().0, "short");
        drop(a);
        assert!(recv::<String>(b.as_fd()).unwrap().is_none());
    }
}
