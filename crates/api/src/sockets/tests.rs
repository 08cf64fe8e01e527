use std::convert::Infallible;

use bytes::Bytes;
use futures_util::{sink, stream};
use tokio::{sync::mpsc, task::JoinHandle};

use super::*;

/// A client at one end of a bridge.
struct Client {
    /// `None` once it is gone.
    sends: Option<mpsc::UnboundedSender<Result<Frame, Infallible>>>,
    gets: mpsc::UnboundedReceiver<Frame>,
    bridge: JoinHandle<()>,
}

fn client() -> (Client, Socket) {
    client_left_after(PATIENCE)
}

fn client_left_after(patience: Duration) -> (Client, Socket) {
    let (here, work) = Socket::pair();
    let (sends, sent) = mpsc::unbounded_channel();
    let (got, gets) = mpsc::unbounded_channel();
    let stream = stream::unfold(sent, async |mut sent: mpsc::UnboundedReceiver<_>| {
        let frame = sent.recv().await?;
        Some((frame, sent))
    });
    let sink = sink::unfold(got, async |got: mpsc::UnboundedSender<Frame>, frame| {
        got.send(frame).map_err(|_| ())?;
        Ok::<_, ()>(got)
    });
    let bridge = tokio::spawn(bridge(Box::pin(sink), Box::pin(stream), here, patience));
    (Client { sends: Some(sends), gets, bridge }, work)
}

impl Client {
    fn send(&self, frame: Frame) {
        self.sends.as_ref().unwrap().send(Ok(frame)).unwrap();
    }

    async fn get(&mut self) -> Frame {
        self.gets.recv().await.unwrap()
    }
}

fn is_close(frame: &Frame) -> bool {
    matches!(frame, Frame::Close(Some(CloseFrame { code: close_code::NORMAL, .. })))
}

#[tokio::test]
async fn an_empty_text_ends_one_direction_alone() {
    let (mut client, mut work) = client();
    client.send(Frame::Binary(Bytes::from("in")));
    client.send(Frame::Ping(Bytes::new()));
    client.send(Frame::Text("".into()));
    let incoming = &mut work.incoming;
    assert_eq!(incoming.recv().await, Some(Message::Binary(Bytes::from("in"))));
    assert_eq!(incoming.recv().await, Some(Message::Close));
    work.outgoing.send(Message::Binary(Bytes::from("out"))).await.unwrap();
    work.outgoing.send(Message::Close).await.unwrap();
    assert_eq!(client.get().await, Frame::Binary(Bytes::from("out")));
    assert_eq!(client.get().await, Frame::Text("".into()));
    client.send(Frame::Text("{}".into()));
    assert_eq!(work.incoming.recv().await, Some(Message::Text(String::from("{}"))));
}

#[tokio::test]
async fn work_that_is_done_closes_the_websocket_after_its_last_words() {
    let (mut client, work) = client();
    work.outgoing.send(Message::Binary(Bytes::from("last"))).await.unwrap();
    drop(work);
    assert_eq!(client.get().await, Frame::Binary(Bytes::from("last")));
    assert!(is_close(&client.get().await));
    assert!(!client.bridge.is_finished(), "it waits for the client");
    client.sends = None;
    client.bridge.await.unwrap();
}

#[tokio::test]
async fn work_that_only_listens_is_not_done() {
    let (mut client, mut work) = client();
    drop(work.outgoing);
    client.send(Frame::Text("a".into()));
    assert_eq!(work.incoming.recv().await, Some(Message::Text(String::from("a"))));
    client.send(Frame::Text("b".into()));
    assert_eq!(work.incoming.recv().await, Some(Message::Text(String::from("b"))));
    drop(work.incoming);
    assert!(is_close(&client.get().await));
}

#[tokio::test]
async fn a_client_that_never_closes_is_left() {
    let (mut client, work) = client_left_after(Duration::from_millis(10));
    drop(work);
    assert!(is_close(&client.get().await));
    client.bridge.await.unwrap();
}

#[tokio::test]
async fn the_work_learns_that_the_client_is_gone() {
    let (mut client, mut work) = client();
    client.sends = None;
    client.bridge.await.unwrap();
    assert_eq!(work.incoming.recv().await, None);
    assert!(work.outgoing.send(Message::Close).await.is_err());
}
