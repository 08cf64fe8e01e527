//! Exec against a peer that speaks the daemon's side: one HTTP connection, one websocket a stream.

use std::{collections::BTreeMap, path::Path};

use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{Request, Response},
    },
};
use wire::ExecControl;

use super::*;

type Stream = WebSocketStream<UnixStream>;

/// Reads a request's head and body, and answers with this metadata.
async fn answer(http: &mut UnixStream, kind: &str, metadata: &str) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(http.read_u8().await.unwrap());
    }
    let head = String::from_utf8(text).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    http.read_exact(&mut body).await.unwrap();
    let reply = format!(r#"{{"type":"{kind}","metadata":{metadata}}}"#);
    let reply = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{reply}", reply.len());
    http.write_all(reply.as_bytes()).await.unwrap();
    head
}

/// Takes the four websockets of a program with pipes, by their secrets.
async fn streams(listener: &UnixListener) -> BTreeMap<String, Stream> {
    let mut streams = BTreeMap::new();
    for _ in 0..4 {
        let mut secret = String::new();
        let (stream, _) = listener.accept().await.unwrap();
        #[allow(clippy::result_large_err, reason = "the type is tungstenite's")]
        let look = |request: &Request, response: Response| {
            assert_eq!(request.uri().path(), "/1.0/operations/7/websocket");
            secret = request.uri().query().unwrap().to_owned();
            Ok(response)
        };
        let stream = accept_hdr_async(stream, look).await.unwrap();
        streams.insert(secret, stream);
    }
    streams
}

/// The daemon's side of `cat` with a word on its standard error: exits with 3.
async fn daemon(listener: UnixListener) -> String {
    let (mut http, _) = listener.accept().await.unwrap();
    let fds = r#"{"id":"7","status_code":103,"metadata":{"fds":{"0":"a","1":"b","2":"c","control":"d"}}}"#;
    let head = answer(&mut http, "async", fds).await;
    let mut streams = streams(&listener).await;
    let mut take = |secret: &str| streams.remove(secret).unwrap();
    let (mut stdin, mut stdout) = (take("secret=a"), take("secret=b"));
    let (mut stderr, mut control) = (take("secret=c"), take("secret=d"));
    let message = control.next().await.unwrap().unwrap().into_text().unwrap();
    assert_eq!(message.as_str(), r#"{"command":"signal","signal":15}"#);
    while let Message::Binary(bytes) = stdin.next().await.unwrap().unwrap() {
        stdout.send(Message::Binary(bytes)).await.unwrap();
    }
    stderr.send(Message::Binary("oops".into())).await.unwrap();
    for stream in [&mut stdout, &mut stderr] {
        stream.send(Message::Text("".into())).await.unwrap();
    }
    let end = r#"{"id":"7","status_code":200,"metadata":{"return":3}}"#;
    head + &answer(&mut http, "sync", end).await
}

async fn everything(mut receiver: crate::Receiver) -> String {
    let mut all = Vec::new();
    while let Some(bytes) = receiver.next().await.unwrap() {
        all.extend(bytes);
    }
    String::from_utf8(all).unwrap()
}

/// Feeds `cat`; returns its output, its errors, and its exit status.
async fn cat(socket: &Path) -> (String, String, Option<i32>) {
    let client = Client::new(socket);
    let request = InstanceExecPost { command: vec!["cat".into()], ..InstanceExecPost::default() };
    let exec = client.exec(&ProjectQuery::default(), "web", &request).await.unwrap();
    let (_, mut control) = exec.control.split();
    let Streams::Pipes { stdin, stdout, stderr } = exec.streams else { panic!("not pipes") };
    let (_stdin_in, mut stdin) = stdin.split();
    control.control(&ExecControl::signal(15)).await.unwrap();
    stdin.send("one ").await.unwrap();
    stdin.send("two").await.unwrap();
    stdin.finish().await.unwrap();
    let (output, errors) = tokio::join!(everything(stdout.split().0), everything(stderr.split().0));
    let end = client.wait(&exec.operation).await.unwrap();
    (output, errors, end.metadata_as::<ExecMetadata>().unwrap().return_code)
}

#[tokio::test(flavor = "current_thread")]
async fn bytes_signals_and_the_exit_status_travel() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("unix.socket");
    let listener = UnixListener::bind(&socket).unwrap();
    let daemon = tokio::spawn(daemon(listener));
    assert_eq!(cat(&socket).await, ("one two".into(), "oops".into(), Some(3)));
    let requests = daemon.await.unwrap();
    assert!(requests.starts_with("POST /1.0/instances/web/exec HTTP/1.1\r\n"), "{requests}");
    assert!(requests.contains("GET /1.0/operations/7/wait HTTP/1.1\r\n"), "{requests}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_missing_stream_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(folder.path().join("unix.socket")).unwrap();
    let daemon = tokio::spawn(async move {
        let (mut http, _) = listener.accept().await.unwrap();
        answer(&mut http, "async", r#"{"id":"7","metadata":{"fds":{}}}"#).await
    });
    let client = Client::new(folder.path().join("unix.socket"));
    let exec = client.exec(&ProjectQuery::default(), "web", &InstanceExecPost::default()).await;
    let error = exec.unwrap_err().to_string();
    assert_eq!(error, r#"the daemon offers no stream "control" for operation 7"#);
    daemon.await.unwrap();
}
