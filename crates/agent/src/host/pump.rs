//! Between a descriptor of the daemon's and a stream of the agent's.

use std::io;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::Method;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::mpsc,
};

use super::call::Requests;
use crate::{body::Body, limits};

/// Sends all that is read, until the end of it or until nobody takes it.
pub(super) async fn upload(requests: &Requests, path: &str, from: impl AsyncRead + Unpin) {
    let (pieces, body) = mpsc::channel(1);
    let request = requests.request(Method::PUT, path, Body::Pieces(body));
    let answer = requests.send("take input", request);
    tokio::select! {
        // The program takes no more, or is gone.
        _ = answer => {}
        () = async { feed(from, pieces).await; std::future::pending().await } => {}
    }
}

/// Passes on all that is read. Its end is told by dropping `pieces`; what reads is closed with it.
pub(super) async fn feed(
    mut from: impl AsyncRead + Unpin,
    pieces: mpsc::Sender<io::Result<Bytes>>,
) {
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(limits::BLOCK);
        match from.read_buf(&mut buffer).await {
            Ok(1..) => {}
            _ => break,
        }
        if pieces.send(Ok(buffer.split().freeze())).await.is_err() {
            break;
        }
    }
}

/// Writes all that comes, until the end of it or until nobody reads it; fails if it breaks off.
pub(super) async fn download(
    requests: &Requests,
    path: &str,
    mut to: impl AsyncWrite + Unpin,
) -> Result<(), ()> {
    let request = requests.request(Method::GET, path, Body::empty());
    let mut body = requests.send("give output", request).await.map_err(drop)?.into_body();
    while let Some(frame) = body.frame().await {
        let Ok(bytes) = frame.map_err(drop)?.into_data() else { continue };
        if to.write_all(&bytes).await.is_err() {
            return Ok(());
        }
    }
    // A file that is written in the background is told that this was all; a reader who is gone is
    // told nothing.
    let _ = to.flush().await;
    Ok(())
}
