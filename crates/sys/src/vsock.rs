//! Sockets between a machine and its host (`linux/vm_sockets.h`), whose addresses no library of ours has.
//!
//! They have no namespaces, and nobody is asked who may connect. But ports below 1024 are root's on both sides, the
//! host's root and nobody else's.

use std::{
    io, mem,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

use crate::call::check;

/// The host, as each machine calls it.
const HOST: u32 = 2;
const ANY: u32 = u32::MAX;
/// `LAST_RESERVED_PORT`, and as many below it as nobody needs at once.
const OF_ROOT: std::ops::RangeInclusive<u32> = 600..=1023;
/// Connections that may wait.
const WAITING: i32 = 4;

fn open() -> io::Result<OwnedFd> {
    // SAFETY: no memory is passed.
    let fd = unsafe { libc::socket(libc::AF_VSOCK, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    check(fd.into())?;
    // SAFETY: the descriptor is new, and so nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn address(cid: u32, port: u32) -> libc::sockaddr_vm {
    // SAFETY: the structure is of plain numbers.
    let mut address: libc::sockaddr_vm = unsafe { mem::zeroed() };
    address.svm_family = libc::AF_VSOCK as libc::sa_family_t;
    address.svm_cid = cid;
    address.svm_port = port;
    address
}

const LENGTH: libc::socklen_t = size_of::<libc::sockaddr_vm>() as libc::socklen_t;

fn bind(socket: &OwnedFd, port: u32) -> io::Result<()> {
    let address = address(ANY, port);
    // SAFETY: the pointer is to an address of that length.
    check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), LENGTH) }.into())
        .map(drop)
}

/// Connects with a port of a machine, from one of root's. Waits as long as the kernel does: two seconds.
pub fn connect_vsock(cid: u32, port: u32) -> io::Result<OwnedFd> {
    let socket = open()?;
    let mut own = OF_ROOT.rev();
    loop {
        let Some(port) = own.next() else { return Err(io::ErrorKind::AddrInUse.into()) };
        match bind(&socket, port) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            done => break done?,
        }
    }
    let address = address(cid, port);
    // SAFETY: the pointer is to an address of that length.
    let connected =
        unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), LENGTH) };
    check(connected.into())?;
    Ok(socket)
}

/// Takes connections at a port.
pub fn listen_vsock(port: u32) -> io::Result<OwnedFd> {
    let socket = open()?;
    bind(&socket, port)?;
    // SAFETY: no memory is passed.
    check(unsafe { libc::listen(socket.as_raw_fd(), WAITING) }.into())?;
    Ok(socket)
}

/// Waits for a connection; `None` for one that is not from the host's root.
pub fn accept_host(listener: &OwnedFd) -> io::Result<Option<OwnedFd>> {
    let (mut from, mut length) = (address(0, 0), LENGTH);
    let pointer = (&raw mut from).cast();
    // SAFETY: both pointers are to an address and its length, which outlive the call.
    let fd = unsafe {
        libc::accept4(listener.as_raw_fd(), pointer, &raw mut length, libc::SOCK_CLOEXEC)
    };
    check(fd.into())?;
    // SAFETY: the descriptor is new, and so nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    Ok((from.svm_cid == HOST && OF_ROOT.contains(&from.svm_port)).then_some(socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_listens_where_no_machine_is() {
        // Without the kernel's part of it, without root's rights, or because nobody is there.
        assert!(connect_vsock(0x7fff_0000, 951).is_err());
    }
}
