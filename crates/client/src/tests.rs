//! What goes over the socket: requests as the daemon sees them, answers as it gives them.

use std::{
    io::{Read, Write},
    os::unix::net::UnixListener,
    path::PathBuf,
    thread::{self, JoinHandle},
};

use wire::{
    Empty, Listing, NetworkPut,
    endpoints::{
        images::ImageCreate,
        instances::{InstanceConsoleLog, InstancesList},
        networks::{NetworkGet, NetworkReplace},
    },
    query::{ListQuery, ProjectQuery, TargetQuery},
};

use super::*;

/// A peer that takes one connection, answers each request with the next of `answers`, and returns what it was sent.
struct Peer {
    folder: tempfile::TempDir,
    thread: JoinHandle<Vec<String>>,
}

impl Peer {
    fn new(answers: Vec<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("unix.socket")).unwrap();
        let thread = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut requests = Vec::new();
            for answer in answers {
                requests.push(request(&mut stream));
                stream.write_all(answer.as_bytes()).unwrap();
            }
            requests
        });
        Self { folder, thread }
    }

    fn client(&self) -> Client {
        Client::new(self.folder.path().join("unix.socket"))
    }

    fn requests(self) -> Vec<String> {
        self.thread.join().unwrap()
    }
}

/// Reads one request: head, and as much body as its length says.
fn request(stream: &mut impl Read) -> String {
    let (mut text, mut byte) = (Vec::new(), [0]);
    while !text.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        text.push(byte[0]);
    }
    let head = String::from_utf8(text).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

fn sync(metadata: &str) -> String {
    let body =
        format!(r#"{{"type":"sync","status":"Success","status_code":200,"metadata":{metadata}}}"#);
    answer("200 OK", "etag: v1\r\n", &body)
}

#[tokio::test(flavor = "current_thread")]
async fn an_edit_sends_the_version_it_saw() {
    let peer = Peer::new(vec![sync(r#"{"name":"br0","config":{"a":"1"}}"#), sync("{}")]);
    let client = peer.client();
    let query = TargetQuery { project: Some("x y".into()), target: None };
    let seen = client.request::<NetworkGet>(&["br0"]).query(&query).unwrap().send().await.unwrap();
    assert_eq!(seen.reply.config["a"], "1");
    let put = NetworkPut { config: seen.reply.config, description: String::new() };
    let request = client.request::<NetworkReplace>(&["br0"]).body(&put).unwrap();
    request.if_match(seen.etag).send().await.unwrap();
    let requests = peer.requests();
    assert!(
        requests[0].starts_with("GET /1.0/networks/br0?project=x+y HTTP/1.1\r\n"),
        "{}",
        requests[0]
    );
    assert!(requests[1].contains("if-match: v1\r\n"), "{}", requests[1]);
    assert!(requests[1].ends_with(r#"{"config":{"a":"1"},"description":""}"#), "{}", requests[1]);
}

#[tokio::test(flavor = "current_thread")]
async fn a_refusal_keeps_the_daemons_words() {
    let body = r#"{"type":"error","error":"Network not found","error_code":404,"metadata":null}"#;
    let peer = Peer::new(vec![answer("404 Not Found", "", body)]);
    let error = peer.client().get::<NetworkGet>(&["br0"], &Default::default()).await.unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), (Some(404), "Network not found"));
}

#[tokio::test(flavor = "current_thread")]
async fn null_is_an_empty_list() {
    let peer = Peer::new(vec![sync("null")]);
    let query = ListQuery { recursion: 2, all_projects: true, ..ListQuery::default() };
    let list = peer.client().get::<InstancesList>(&[], &query).await.unwrap();
    assert_eq!(list, Listing::Urls(Vec::new()));
    let requests = peer.requests();
    assert!(
        requests[0].starts_with("GET /1.0/instances?all-projects=true&recursion=2 "),
        "{}",
        requests[0]
    );
}

#[tokio::test(flavor = "current_thread")]
async fn files_come_as_they_are() {
    let peer = Peer::new(vec![answer("200 OK", "", "login: ")]);
    let mut log = Vec::new();
    peer.client().request::<InstanceConsoleLog>(&["web"]).download(&mut log).await.unwrap();
    assert_eq!(log, b"login: ");
}

#[tokio::test(flavor = "current_thread")]
async fn a_split_image_is_sent_as_a_form() {
    let body = r#"{"type":"async","status_code":100,"operation":"/1.0/operations/1","metadata":{"id":"1"}}"#;
    let peer = Peer::new(vec![answer("202 Accepted", "", body)]);
    let write = |name: &str, text: &str| -> PathBuf {
        let path = peer.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let upload = Upload {
        metadata: write("meta.tar.xz", "META"),
        rootfs: Some(write("root.squashfs", "ROOT")),
        disk: false,
        public: true,
        properties: vec![("os".into(), "De bian".into())],
    };
    let client = peer.client();
    let request = client.request::<ImageCreate>(&[]).query(&ProjectQuery::default()).unwrap();
    let operation = request.upload(upload).await.unwrap().send().await.unwrap().reply;
    assert_eq!(operation.id, "1");
    let sent = &peer.requests()[0];
    for part in [
        "x-lxd-public: 1\r\n",
        "x-lxd-properties: os=De+bian\r\n",
        "name=\"metadata\"; filename=\"meta.tar.xz\"\r\nContent-Type: application/octet-stream\r\n\r\nMETA\r\n--",
        "name=\"rootfs\"; filename=\"root.squashfs\"\r\nContent-Type: application/octet-stream\r\n\r\nROOT\r\n--",
    ] {
        assert!(sent.contains(part), "{part:?} is not in {sent}");
    }
    assert!(sent.ends_with("--\r\n"));
}

#[tokio::test(flavor = "current_thread")]
async fn a_missing_daemon_is_told_from_a_refusal() {
    let client = Client::new("/nonexistent/unix.socket");
    let error =
        client.call::<NetworkGet>(&["a"], &Default::default(), &Empty {}).await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }));
    assert_eq!(error.to_string(), "cannot connect to /nonexistent/unix.socket");
}
