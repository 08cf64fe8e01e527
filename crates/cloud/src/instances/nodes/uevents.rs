//! The kernel's word that a device came or went.
//!
//! Only that, not which: whoever is woken looks himself. A server in a namespace that hears nothing of them still
//! looks now and then.

use std::{io, os::fd::AsFd, os::fd::OwnedFd};

use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SocketFlags, SocketType, bind,
        netlink::{KOBJECT_UEVENT, SocketAddrNetlink},
        recv, socket_with,
    },
};
use tokio::io::unix::AsyncFd;

use crate::watched::watched;

/// The kernel's own messages, and those of udev, which come when the links to a node are made.
const GROUPS: u32 = 1 | 2;
/// None is longer (`UEVENT_BUFFER_SIZE` is 2048; udev's have some more properties).
const LONGEST: usize = 16 * 1024;
/// What a message about a node has.
const NODE: &[u8] = b"DEVNAME=";

/// Hears of devices that come and go.
pub struct Uevents(Option<AsyncFd<OwnedFd>>);

impl Uevents {
    /// Begins to listen. Within a tokio runtime.
    pub fn listen() -> Uevents {
        match open() {
            Ok(socket) => Uevents(Some(socket)),
            Err(error) => {
                tracing::warn!(%error, "the kernel does not tell of devices that come and go");
                Uevents(None)
            }
        }
    }

    /// Waits until a device with a node came or went.
    pub async fn next(&mut self) {
        while let Some(socket) = &self.0 {
            match hear(socket).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(%error, "news of devices");
                    self.0 = None;
                }
            }
        }
        std::future::pending().await
    }
}

fn open() -> io::Result<AsyncFd<OwnedFd>> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(KOBJECT_UEVENT))?;
    bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
    watched(socket)
}

/// Reads all that there is; says whether some of it was about nodes.
async fn hear(socket: &AsyncFd<OwnedFd>) -> io::Result<bool> {
    let mut ready = socket.readable().await?;
    let mut buffer = vec![0; LONGEST];
    let mut heard = false;
    loop {
        match recv(socket.get_ref().as_fd(), &mut buffer[..], RecvFlags::empty()) {
            Ok((len, _)) => {
                heard |= buffer[..len.min(LONGEST)].windows(NODE.len()).any(|it| it == NODE);
            }
            Err(Errno::AGAIN) => {
                ready.clear_ready();
                return Ok(heard);
            }
            Err(Errno::INTR) => {}
            // More came than there was room for: look.
            Err(Errno::NOBUFS) => heard = true,
            Err(error) => return Err(error.into()),
        }
    }
}
