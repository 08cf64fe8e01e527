//! From a stream to an agent.

use std::time::Duration;

use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{net::UnixStream, sync::watch, task::spawn_blocking};

use super::{Agent, call::Requests};
use crate::{
    error::{Error, Result},
    guest::vsock,
    handshake, limits,
};

impl Agent {
    /// Connects by a stream that ends at a port of the machine, and waits until an agent answers:
    /// it may be called before the machine has booted. Within tokio.
    pub async fn connect(stream: UnixStream, timeout: Duration) -> Result<Agent> {
        let late = |_| Error::Late { call: "answer" };
        tokio::time::timeout(timeout, connect(stream)).await.map_err(late)?
    }

    /// The same by vsock, with the agent of a machine of that number. Only an agent that is there answers.
    pub async fn connect_vsock(number: u32, timeout: Duration) -> Result<Agent> {
        let opened = spawn_blocking(move || sys::connect_vsock(number, vsock::PORT)).await;
        let stream = opened.ok().and_then(std::io::Result::ok).ok_or(Error::Gone)?;
        // To tokio one stream of bytes is as another.
        let stream = std::os::unix::net::UnixStream::from(stream);
        let stream = stream.set_nonblocking(true).and_then(|()| UnixStream::from_std(stream));
        Agent::connect(stream.map_err(|_| Error::Gone)?, timeout).await
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
    Ok(Agent { requests: Requests::new(sender, welcome.protocol), version, closed })
}
