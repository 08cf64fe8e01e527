//! Bytes to and from a daemon: HTTP/1.1 on its unix socket, or over TLS.

use std::{fmt, io, path::PathBuf, sync::Arc};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tls::{Identity, Pin};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::UnixStream,
};

use crate::{Error, Result};

/// A body of a request.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A connection that requests are sent on, one after the other.
pub(crate) type Connection = SendRequest<Body>;

/// A bare stream to a daemon.
pub trait Duplex: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin> Duplex for T {}

/// Its kind forgotten.
pub(crate) type Stream = Box<dyn Duplex>;

/// Where a daemon is.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// On this machine, behind this socket.
    Socket(PathBuf),
    /// Over the network.
    Network(Network),
}

/// A daemon over the network.
#[derive(Debug, Clone)]
pub struct Network {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Which server is meant.
    pub pin: Pin,
    /// Who we are.
    pub identity: Option<Arc<Identity>>,
}

impl Place {
    /// A stream to it.
    pub(crate) async fn stream(&self) -> Result<Stream> {
        match self {
            Place::Socket(path) => match UnixStream::connect(path).await {
                Ok(stream) => Ok(Box::new(stream)),
                Err(source) => Err(self.failed(source)),
            },
            Place::Network(Network { host, port, pin, identity }) => {
                match tls::connect(host, *port, pin, identity.as_deref()).await {
                    Ok(stream) => Ok(Box::new(stream)),
                    Err(source) => Err(self.failed(source)),
                }
            }
        }
    }

    /// A connection to it; a task beside it moves the bytes until it is dropped.
    pub(crate) async fn connect(&self) -> Result<Connection> {
        let stream = TokioIo::new(self.stream().await?);
        let (sender, connection) =
            http1::handshake(stream).await.map_err(|error| self.failed(io::Error::other(error)))?;
        // An error here also reaches the request that waits for its answer.
        tokio::spawn(connection);
        Ok(sender)
    }

    fn failed(&self, source: io::Error) -> Error {
        match self {
            Place::Socket(path) => Error::Connect { path: path.clone(), source },
            Place::Network(Network { host, port, .. }) => {
                Error::Unreachable { address: format!("{host}:{port}"), source }
            }
        }
    }
}

impl Network {
    /// The daemon at `host:port`, an IPv6 address in brackets; none if it is no such thing.
    pub fn at(address: &str, pin: Pin, identity: Option<Arc<Identity>>) -> Option<Network> {
        let (host, port) = address.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = port.parse().ok()?;
        (!host.is_empty()).then(|| Network { host: host.to_owned(), port, pin, identity })
    }

    /// A connection that requests with any body are sent on; a task beside it moves the bytes.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn connect<B>(&self) -> Result<SendRequest<B>>
    where
        B: hyper::body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let place = Place::Network(self.clone());
        let stream = TokioIo::new(place.stream().await?);
        let shaken = http1::handshake(stream).await;
        let (sender, connection) = shaken.map_err(|error| place.failed(io::Error::other(error)))?;
        // An error here also reaches the request that waits for its answer.
        tokio::spawn(connection.with_upgrades());
        Ok(sender)
    }

    /// A stream of bytes to the daemon, for what is spoken there instead of HTTP after a request.
    ///
    /// # Errors
    /// When it cannot be reached, or refuses.
    pub async fn upgrade(&self, target: &str, protocol: &str) -> Result<Box<dyn Duplex>> {
        let place = Place::Network(self.clone());
        let mut sender = self.connect::<Body>().await?;
        let request = hyper::Request::get(target)
            .header(hyper::header::HOST, "microcloud")
            .header(hyper::header::CONNECTION, "upgrade")
            .header(hyper::header::UPGRADE, protocol)
            .body(body(""))
            .map_err(|error| place.failed(io::Error::other(error)))?;
        let failed = |error: hyper::Error| place.failed(io::Error::other(error));
        let answer = sender.send_request(request).await.map_err(failed)?;
        if answer.status() != hyper::StatusCode::SWITCHING_PROTOCOLS {
            let why = format!("it answers with status {}", answer.status());
            return Err(place.failed(io::Error::other(why)));
        }
        let upgraded = hyper::upgrade::on(answer).await.map_err(failed)?;
        Ok(Box::new(TokioIo::new(upgraded)))
    }
}

/// A body that is in memory.
pub(crate) fn body(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}
