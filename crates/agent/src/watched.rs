//! Descriptors of any kind (pipe, terminal, port) among the async tasks.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    pin::Pin,
    task::{Context, Poll, ready},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    io::Errno,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, unix::AsyncFd};

/// A descriptor that is read and written without blocking.
pub(crate) struct Watched(AsyncFd<OwnedFd>);

impl Watched {
    #[expect(
        deprecated,
        reason = "the replacement is unsafe: it asks that the descriptor stays open, as an OwnedFd does"
    )]
    pub(crate) fn new(fd: OwnedFd) -> io::Result<Watched> {
        fcntl_setfl(&fd, fcntl_getfl(&fd)? | OFlags::NONBLOCK)?;
        Ok(Watched(AsyncFd::new(fd)?))
    }

    /// Until there is something to be read, or the end.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.0.readable().await?.retain_ready();
        Ok(())
    }

    /// Reads what there is now; `WouldBlock` is an error.
    pub(crate) fn read_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        read_some(self.0.get_ref(), buffer)
    }
}

impl AsFd for Watched {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_ref().as_fd()
    }
}

/// A terminal whose other side is closed gives EIO: its end.
fn read_some(fd: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
    match rustix::io::read(fd, buffer) {
        Err(Errno::IO) => Ok(0),
        result => Ok(result?),
    }
}

/// A port takes nothing while no host is there; but then it says so.
fn write_some(fd: &OwnedFd, bytes: &[u8]) -> io::Result<usize> {
    match rustix::io::write(fd, bytes) {
        Err(Errno::AGAIN) if hung_up(fd.as_fd()) => Err(io::ErrorKind::BrokenPipe.into()),
        result => Ok(result?),
    }
}

/// Whether the other side is closed.
pub(crate) fn hung_up(fd: BorrowedFd) -> bool {
    let mut asked = [PollFd::from_borrowed_fd(fd, PollFlags::OUT)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut asked, Some(&now)).is_ok()
        && asked[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
}

impl AsyncRead for Watched {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut ready = ready!(self.0.poll_read_ready(cx))?;
            let space = buffer.initialize_unfilled();
            match ready.try_io(|fd| read_some(fd.get_ref(), space)) {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(result) => return Poll::Ready(result.map(|read| buffer.advance(read))),
                Err(_) => {}
            }
        }
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.0.poll_write_ready(cx))?;
            match ready.try_io(|fd| write_some(fd.get_ref(), bytes)) {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(result) => return Poll::Ready(result),
                Err(_) => {}
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
