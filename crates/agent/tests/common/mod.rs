//! An agent at the other end of a pair, and a port as virtio-serial has it.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "each test file takes what it needs"
)]

use std::{
    io,
    os::unix::net::UnixStream as StdStream,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use agent::Agent;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, copy},
    net::UnixStream,
};

pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Whether tests that start programs as users can run here; says why not.
pub(crate) fn root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("SKIP: needs root");
    }
    root
}

/// An agent that serves one host.
pub(crate) async fn agent() -> Agent {
    let (ours, theirs) = UnixStream::pair().unwrap();
    tokio::spawn(agent::serve(theirs));
    Agent::connect(ours, SOON).await.unwrap()
}

/// The same, and the host says that it speaks the first version of the protocol only.
pub(crate) async fn first_version() -> Agent {
    let (ours, host) = UnixStream::pair().unwrap();
    let (guest, theirs) = UnixStream::pair().unwrap();
    tokio::spawn(agent::serve(theirs));
    tokio::spawn(async move {
        let ((mut from_host, mut to_host), (mut from_guest, mut to_guest)) =
            (host.into_split(), guest.into_split());
        let up = async {
            let mut bytes = vec![0; 1 << 16];
            while let Ok(read @ 1..) = from_host.read(&mut bytes).await {
                // A hello is sent as a whole.
                let at = bytes[..read].windows(17).position(|part| part == b"\"protocols\":[1,2]");
                if let Some(at) = at {
                    bytes[at + 15] = b'1';
                }
                to_guest.write_all(&bytes[..read]).await.unwrap();
            }
        };
        tokio::join!(up, copy(&mut from_guest, &mut to_host)).1
    });
    Agent::connect(ours, SOON).await.unwrap()
}

/// A stream that knows no connections: hosts come and go, and the agent is not told.
pub(crate) struct Port {
    hosts: StdStream,
}

impl Port {
    pub(crate) fn new() -> Port {
        let (hosts, agents) = StdStream::pair().unwrap();
        agents.set_nonblocking(true).unwrap();
        hosts.set_nonblocking(true).unwrap();
        tokio::spawn(async move {
            loop {
                let stream = UnixStream::from_std(agents.try_clone().unwrap()).unwrap();
                let _ = agent::serve(Endless(stream)).await;
            }
        });
        Port { hosts }
    }

    /// One more host. It goes with the handle: `abort` it, and nothing is read or written any more.
    pub(crate) fn host(&self) -> (UnixStream, tokio::task::JoinHandle<()>) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut port = UnixStream::from_std(self.hosts.try_clone().unwrap()).unwrap();
        let relay = tokio::spawn(async move {
            let mut theirs = theirs;
            let ((mut from, mut to), (mut port_from, mut port_to)) = (theirs.split(), port.split());
            tokio::select! {
                _ = copy(&mut from, &mut port_to) => {}
                _ = copy(&mut port_from, &mut to) => {}
            }
        });
        (ours, relay)
    }

    /// What a host leaves behind.
    pub(crate) async fn leave(&self, bytes: &[u8]) {
        let mut port = UnixStream::from_std(self.hosts.try_clone().unwrap()).unwrap();
        port.write_all(bytes).await.unwrap();
    }
}

/// All of it.
pub(crate) async fn all(fd: std::os::fd::OwnedFd) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut from = tokio::net::unix::pipe::Receiver::from_owned_fd(fd).unwrap();
    from.read_to_end(&mut bytes).await.unwrap();
    bytes
}

/// A stream that cannot be shut down.
struct Endless(UnixStream);

impl AsyncRead for Endless {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Endless {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
