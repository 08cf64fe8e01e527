//! The files of an instance for SFTP clients: `lxc file mount`, sshfs, and what speaks version 3 of the protocol.
//!
//! ```text
//! client ── packets ──> serve ── one request at a time ──> Server ── Access ──> files::Session
//! ```
//! What a client sees and may do is what the files API lets it: nothing leads out of the instance. A file that is
//! open is read and written by its descriptor.

mod access;
mod handles;
mod opened;
mod packet;
mod server;

use std::sync::Arc;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use self::server::Server;
use super::Of;
use crate::{Result, World};

/// Bytes of answers that are kept until there is no more to answer.
const ANSWERS: usize = 1 << 20;

/// A connection that is about to be served.
pub struct Connection(Server);

impl Connection {
    /// Opens the files, so that what is in the way is said before the connection becomes another.
    ///
    /// # Errors
    /// There is no such instance, or its files cannot be reached.
    pub async fn open(world: &Arc<World>, of: Of) -> Result<Connection> {
        let mut server = Server::new(world.clone(), of);
        server.open().await?;
        server.let_go().await;
        Ok(Connection(server))
    }

    /// Serves it to its end.
    pub async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let Connection(mut server) = self;
        if let Err(error) = answer(&mut server, stream).await {
            tracing::debug!(%error, "an SFTP connection");
        }
        server.end().await;
    }
}

/// Answers what was asked at once together. A volume that nothing needs any more is let go of before the client hears
/// of it, so that it can be started the next moment.
async fn answer(
    server: &mut Server,
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
) -> std::io::Result<()> {
    let mut buffer = BytesMut::with_capacity(64 << 10);
    let mut answers = Vec::new();
    loop {
        while let Some(packet) = next(&mut buffer)? {
            answers.extend(server.answer(&packet).await);
            if answers.len() > ANSWERS {
                stream.write_all(&answers).await?;
                answers.clear();
            }
        }
        server.let_go().await;
        stream.write_all(&answers).await?;
        stream.flush().await?;
        answers.clear();
        if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}

/// A whole packet, without its length.
fn next(buffer: &mut BytesMut) -> std::io::Result<Option<BytesMut>> {
    let Some(head) = buffer.first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_be_bytes(*head) as usize;
    if length == 0 || length > packet::LONGEST {
        return Err(std::io::Error::other(format!("a packet of {length} bytes")));
    }
    if buffer.len() < 4 + length {
        buffer.reserve(4 + length - buffer.len());
        return Ok(None);
    }
    buffer.advance(4);
    Ok(Some(buffer.split_to(length)))
}
