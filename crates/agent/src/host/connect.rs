//! From a stream to an agent.

use std::time::Duration;

use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{net::UnixStream, sync::watch};

use super::{Agent, call::Requests};
use crate::{
    error::{Error, Result},
    handshake, limits,
};

impl Agent {
    /// Connects by a stream that ends at a port of the machine, and waits until an agent answers:
    /// it may be called before the machine has booted. Within tokio.
    pub async fn connect(stream: UnixStream, timeout: Duration) -> Result<Agent> {
        let late = |_| Error::Late { call: "answer" };
        tokio::time::timeout(timeout, connect(stream)).await.map_err(late)?
    }
}

async fn connect(stream: UnixStream) -> Result<Agent> {
    let (welcome, stream) = handshake::greet(stream).await?;
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(limits::STREAM)
        .initial_connection_window_size(limits::CONNECTION)
        .initial_max_send_streams(limits::STREAMS as usize)
        .max_frame_size(limits::FRAME)
        .max_header_list_size(limits::HEADERS)
        .max_send_buf_size(limits::STREAM as usize);
    let (sender, connection) =
        builder.handshake(TokioIo::new(stream)).await.map_err(|_| Error::Gone)?;
    let (ended, closed) = watch::channel(false);
    tokio::spawn(async move {
        // Whatever ended it: everybody who waits for an answer is told.
        let _ = connection.await;
        ended.send_replace(true);
    });
    let version = welcome.version.as_str().into();
    Ok(Agent { requests: Requests::new(sender), version, closed })
}
