//! The end inside the machine.

mod exec;
mod files;
mod info;
pub mod nics;
pub mod port;
mod processors;
mod program;
mod reply;
mod route;
mod shares;
mod state;
pub mod templates;
mod visitors;
pub(crate) mod vsock;

use std::{io, path::Path, sync::Arc};

use hyper::{server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{handshake, limits};

/// Where programs written for LXD look for their host.
const VISITORS: &str = "/dev/lxd";

/// Serves one host on a stream, until it is gone; `false` if it was gone before it said hello.
/// Programs it has started go on, their output is thrown away. Within tokio.
pub async fn serve<S>(stream: S) -> io::Result<bool>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    serve_at(stream, Path::new(VISITORS)).await
}

/// The same, and those who ask the host come to a socket in this folder.
pub async fn serve_at<S>(stream: S, visitors: &Path) -> io::Result<bool>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Some(stream) = handshake::answer(stream).await? else { return Ok(false) };
    let session = Arc::new(route::Session::new(visitors));
    let service = service_fn(move |request| route::answer(session.clone(), request));
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(limits::STREAM)
        .initial_connection_window_size(limits::CONNECTION)
        .max_concurrent_streams(limits::STREAMS)
        .max_frame_size(limits::FRAME)
        .max_header_list_size(limits::HEADERS)
        .max_send_buf_size(limits::STREAM as usize);
    // However it ended: the next host says hello.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
    Ok(true)
}
