//! Bytes to and from the daemon: HTTP/1.1 on its unix socket.

use std::{io, path::Path};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use crate::{Error, Result};

/// A body of a request.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A connection that requests are sent on, one after the other.
pub(crate) type Connection = SendRequest<Body>;

/// A body that is in memory.
pub(crate) fn body(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A bare stream to the daemon.
pub(crate) async fn stream(path: &Path) -> Result<UnixStream> {
    UnixStream::connect(path)
        .await
        .map_err(|source| Error::Connect { path: path.to_owned(), source })
}

/// A connection to the daemon; a task beside it moves the bytes until it is dropped.
pub(crate) async fn connect(path: &Path) -> Result<Connection> {
    let stream = TokioIo::new(stream(path).await?);
    let (sender, connection) = http1::handshake(stream).await.map_err(|source| Error::Connect {
        path: path.to_owned(),
        source: io::Error::other(source),
    })?;
    // An error here also reaches the request that waits for its answer.
    tokio::spawn(connection);
    Ok(sender)
}
