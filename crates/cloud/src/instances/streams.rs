//! Between a descriptor of an instance (terminal, pipe, console) and a websocket.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use bytes::{Bytes, BytesMut};
use rustix::{
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    io::Errno,
};
use tasks::Message;
use tokio::{
    io::unix::AsyncFd,
    sync::mpsc::{Receiver, Sender},
};

use crate::watched::watched;

/// Bytes of one frame at most: large enough for throughput, small enough for a Pi.
const FRAME: usize = 64 * 1024;

/// A descriptor that is read and written without blocking.
pub(crate) struct Stream(AsyncFd<OwnedFd>);

impl Stream {
    pub(crate) fn new(fd: OwnedFd) -> io::Result<Stream> {
        fcntl_setfl(&fd, fcntl_getfl(&fd)? | OFlags::NONBLOCK)?;
        Ok(Stream(watched(fd)?))
    }

    /// Reads what there is; empty at the end.
    pub(crate) async fn read(&self, buffer: &mut BytesMut) -> io::Result<Bytes> {
        loop {
            let mut ready = self.0.readable().await?;
            if let Ok(read) = ready.try_io(|fd| read_some(fd.get_ref(), buffer)) {
                return read;
            }
        }
    }

    /// Writes all of it.
    pub(crate) async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let mut ready = self.0.writable().await?;
            let wrote = ready.try_io(|fd| Ok(rustix::io::write(fd.get_ref().as_fd(), bytes)?));
            if let Ok(wrote) = wrote {
                bytes = &bytes[wrote?..];
            }
        }
        Ok(())
    }

    /// Sends all that comes out until the end, or until `ended` and nothing is left: what a
    /// background child of an ended program still holds open is not waited for.
    pub(crate) async fn pump_out(&self, to: &Sender<Message>, ended: impl Future<Output = ()>) {
        let mut buffer = BytesMut::new();
        tokio::pin!(ended);
        loop {
            tokio::select! {
                biased;
                read = self.read(&mut buffer) => match read {
                    Ok(bytes) if !bytes.is_empty() => {
                        if to.send(Message::Binary(bytes)).await.is_err() {
                            return;
                        }
                    }
                    _ => break,
                },
                () = &mut ended => {
                    self.drain(&mut buffer, to).await;
                    break;
                }
            }
        }
        let _ = to.send(Message::Close).await;
    }

    /// Sends what is there now.
    async fn drain(&self, buffer: &mut BytesMut, to: &Sender<Message>) {
        while let Ok(bytes) = read_some(self.0.get_ref(), buffer)
            && !bytes.is_empty()
        {
            if to.send(Message::Binary(bytes)).await.is_err() {
                return;
            }
        }
    }

    /// Writes all that comes in until the client ends its side.
    pub(crate) async fn pump_in(&self, from: &mut Receiver<Message>) {
        while let Some(message) = from.recv().await {
            let written = match &message {
                Message::Binary(bytes) => self.write(bytes).await,
                Message::Text(text) => self.write(text.as_bytes()).await,
                Message::Close => return,
            };
            if written.is_err() {
                return;
            }
        }
    }
}

/// One read that does not block. A terminal whose other side is closed gives EIO: its end.
fn read_some(fd: &OwnedFd, buffer: &mut BytesMut) -> io::Result<Bytes> {
    buffer.resize(FRAME, 0);
    match rustix::io::read(fd, &mut buffer[..]) {
        Ok(read) => Ok(buffer.split_to(read).freeze()),
        Err(Errno::IO) => Ok(Bytes::new()),
        Err(error) => Err(error.into()),
    }
}
