//! Between a websocket and the work of an operation.
//!
//! ```text
//! client           bridge           work
//! data        ──>  hear        ──>  incoming
//! data        <──  tell        <──  outgoing
//! empty text  <->  Message::Close        the end of this direction alone
//! close       <──  farewell    <──  both of the work's ends dropped
//! ```

use std::{pin::pin, time::Duration};

use axum::{
    body::Body,
    extract::{
        FromRequestParts, WebSocketUpgrade,
        ws::{CloseFrame, Message as Frame, WebSocket, close_code},
    },
    http::Request,
};
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tasks::{Message, Seat, Socket};
use tokio::{
    sync::mpsc::{Receiver, Sender},
    time::timeout,
};

use crate::error::{Error, Result};

/// How long a client may take to answer a close. What was sent before stays readable to it after.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes of one message of a client at most: some send a whole file as one.
const MESSAGE: usize = 64 << 20;

/// Makes a request ready to become a websocket.
pub(crate) async fn upgrade(request: Request<Body>) -> Result<WebSocketUpgrade> {
    let (mut parts, _) = request.into_parts();
    match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => Ok(upgrade.max_message_size(MESSAGE).max_frame_size(MESSAGE)),
        Err(rejection) => Err(Error::bad("websocket request", rejection.body_text())),
    }
}

/// Joins a websocket to the work that waits for it.
pub(crate) async fn join(websocket: WebSocket, seat: Seat) {
    let (here, there) = Socket::pair();
    // If the work is gone, its end is dropped and the bridge closes the websocket.
    seat.fill(there);
    let (sink, stream) = websocket.split();
    bridge(sink, stream, here, PATIENCE).await;
}

/// Carries messages both ways until the client is gone, or the work has dropped both ends.
async fn bridge<E>(
    mut sink: impl Sink<Frame> + Unpin,
    mut stream: impl Stream<Item = Result<Frame, E>> + Unpin,
    work: Socket,
    patience: Duration,
) {
    let Socket { incoming: from_work, outgoing: to_work } = work;
    let mut hearing = pin!(hear(&mut stream, &to_work));
    let telling = async {
        tell(from_work, &mut sink).await;
        to_work.closed().await;
    };
    tokio::select! {
        () = &mut hearing => return,
        () = telling => {}
    }
    farewell(&mut sink, hearing, patience).await;
}

/// To the client.
async fn tell(mut from_work: Receiver<Message>, sink: &mut (impl Sink<Frame> + Unpin)) {
    while let Some(message) = from_work.recv().await {
        let frame = match message {
            Message::Binary(bytes) => Frame::Binary(bytes),
            Message::Text(text) => Frame::Text(text.into()),
            Message::Close => Frame::Text("".into()),
        };
        if sink.send(frame).await.is_err() {
            return;
        }
    }
}

/// From the client, until it is gone; what the work does not want to hear any more is dropped.
async fn hear<E>(
    stream: &mut (impl Stream<Item = Result<Frame, E>> + Unpin),
    to_work: &Sender<Message>,
) {
    while let Some(Ok(frame)) = stream.next().await {
        let message = match frame {
            Frame::Binary(bytes) => Message::Binary(bytes),
            Frame::Text(text) if text.is_empty() => Message::Close,
            Frame::Text(text) => Message::Text(text.as_str().to_owned()),
            Frame::Close(_) => Message::Close,
            Frame::Ping(_) | Frame::Pong(_) => continue,
        };
        let _ = to_work.send(message).await;
    }
}

/// Closes a websocket and waits a little for the client to do the same: a socket that is dropped
/// with something unread in it would take back what the client has not read yet.
pub(crate) async fn farewell(
    sink: &mut (impl Sink<Frame> + Unpin),
    until_gone: impl Future<Output = ()>,
    patience: Duration,
) {
    let close = CloseFrame { code: close_code::NORMAL, reason: "".into() };
    let both = async {
        if sink.send(Frame::Close(Some(close))).await.is_ok() {
            until_gone.await;
        }
    };
    let _ = timeout(patience, both).await;
}

#[cfg(test)]
mod tests;
