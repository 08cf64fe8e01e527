//! Websockets: of exec, of the console, of events.
//!
//! A stream ends with an empty text message, as LXD's do, or with the close of the socket.

use bytes::Bytes;
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        self, Message, client::IntoClientRequest, http::HeaderValue, protocol::WebSocketConfig,
    },
};

use crate::{
    Error, Result,
    transport::{Place, Stream},
};

/// Bytes read at once. The library's 128 KiB for each of an exec's four sockets costs more to clear than to use.
const READ_BUFFER: usize = 32 * 1024;

/// A websocket to the daemon.
#[derive(Debug)]
pub struct Socket {
    path: String,
    inner: Box<WebSocketStream<Stream>>,
}

/// The half that is read.
#[derive(Debug)]
pub struct Receiver {
    path: String,
    inner: SplitStream<WebSocketStream<Stream>>,
}

/// The half that is written.
#[derive(Debug)]
pub struct Sender {
    path: String,
    inner: SplitSink<WebSocketStream<Stream>, Message>,
}

impl Socket {
    pub(crate) async fn open(
        daemon: &Place,
        target: &str,
        header: Option<(&'static str, &str)>,
    ) -> Result<Self> {
        let stream = daemon.stream().await?;
        let path = target.split('?').next().unwrap_or(target).to_owned();
        let url = format!("ws://microcloud{target}").into_client_request();
        let mut url = url.map_err(|source| broken(&path, source))?;
        if let Some((name, value)) = header {
            let value =
                HeaderValue::from_str(value).map_err(|error| broken(&path, error.into()))?;
            url.headers_mut().insert(name, value);
        }
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
        match client_async_with_config(url, stream, Some(config)).await {
            Ok((inner, _)) => Ok(Self { path, inner: Box::new(inner) }),
            Err(source) => Err(broken(&path, source)),
        }
    }

    /// Parts it, so that reading and writing can wait on their own.
    pub fn split(self) -> (Receiver, Sender) {
        let (sink, stream) = (*self.inner).split();
        (
            Receiver { path: self.path.clone(), inner: stream },
            Sender { path: self.path, inner: sink },
        )
    }
}

impl Socket {
    /// Hands on what comes from either of two to the other, until both are over.
    pub async fn carry(self, other: Socket) {
        let (to_own, from_own) = (*self.inner).split();
        let (to_other, from_other) = (*other.inner).split();
        tokio::join!(hand_on(from_own, to_other), hand_on(from_other, to_own));
    }
}

async fn hand_on(
    mut from: SplitStream<WebSocketStream<Stream>>,
    mut to: SplitSink<WebSocketStream<Stream>, Message>,
) {
    while let Some(Ok(message)) = from.next().await {
        // Each connection has its own signs of life.
        if matches!(message, Message::Ping(_) | Message::Pong(_)) {
            continue;
        }
        let is_last = message.is_close();
        if to.send(message).await.is_err() || is_last {
            break;
        }
    }
    // Whoever is gone needs no farewell.
    let _ = to.close().await;
}

impl Receiver {
    /// The next piece of the stream; `None` at its end.
    ///
    /// # Errors
    /// When the socket breaks.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            match self.inner.next().await {
                Some(Ok(Message::Binary(bytes))) => return Ok(Some(bytes)),
                Some(Ok(Message::Text(text))) if text.is_empty() => return Ok(None),
                Some(Ok(Message::Text(text))) => return Ok(Some(text.into())),
                Some(Ok(Message::Close(_))) | None => return Ok(None),
                Some(Ok(_)) => {}
                Some(Err(error)) if is_end(&error) => return Ok(None),
                Some(Err(source)) => return Err(broken(&self.path, source)),
            }
        }
    }
}

impl Sender {
    /// Sends a piece of a stream.
    ///
    /// # Errors
    /// When the socket breaks.
    pub async fn send(&mut self, bytes: impl Into<Bytes>) -> Result<()> {
        self.message(Message::Binary(bytes.into())).await
    }

    /// Sends a message as JSON.
    ///
    /// # Errors
    /// When the socket breaks.
    pub async fn control(&mut self, message: &wire::ExecControl) -> Result<()> {
        let text = serde_json::to_string(message)
            .map_err(|source| Error::Encode { path: self.path.clone(), source })?;
        self.message(Message::Text(text.into())).await
    }

    /// Says that the stream is over; the socket stays open.
    ///
    /// # Errors
    /// When the socket breaks.
    pub async fn finish(&mut self) -> Result<()> {
        self.message(Message::Text("".into())).await
    }

    /// Closes the socket. One that is closed already is no error.
    ///
    /// # Errors
    /// When the socket breaks.
    pub async fn close(&mut self) -> Result<()> {
        self.message(Message::Close(None)).await
    }

    async fn message(&mut self, message: Message) -> Result<()> {
        match self.inner.send(message).await {
            Err(error) if !is_end(&error) => Err(broken(&self.path, error)),
            _ => Ok(()),
        }
    }
}

/// The other side is gone, which is how a stream may end.
fn is_end(error: &tungstenite::Error) -> bool {
    use tungstenite::{Error, error::ProtocolError};
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => true,
        Error::Protocol(error) => {
            matches!(
                error,
                ProtocolError::ResetWithoutClosingHandshake | ProtocolError::SendAfterClosing
            )
        }
        Error::Io(error) => matches!(
            error.kind(),
            std::io::ErrorKind::BrokenPipe | std::io::ErrorKind::ConnectionReset
        ),
        _ => false,
    }
}

/// The daemon's own words, if it answered with an error instead of a websocket.
fn broken(path: &str, source: tungstenite::Error) -> Error {
    if let tungstenite::Error::Http(response) = &source {
        let code = response.status().as_u16();
        let body = response.body().as_deref().unwrap_or_default();
        if let Ok(envelope) = serde_json::from_slice::<wire::Response<serde_json::Value>>(body) {
            return Error::Api { code, message: envelope.error };
        }
    }
    Error::Websocket { path: path.to_owned(), source: Box::new(source) }
}
