//! The guest API, `/dev/lxd/sock`: what an instance hears of itself, and what it never may.
#![allow(clippy::unwrap_used, reason = "all of it is tests")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    time::Duration,
};

use lab::{Daemon, until};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(60);

/// The socket that an instance sees, reached from the machine through the eyes of its first process.
fn connect(daemon: &Daemon, name: &str) -> std::io::Result<UnixStream> {
    let path = format!("/proc/{}/root/dev/lxd/sock", daemon.init_of(name));
    let stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    Ok(stream)
}

/// The status of a question, and all that is answered.
fn ask_bytes(daemon: &Daemon, name: &str, path: &str) -> (u16, Vec<u8>) {
    let mut stream = connect(daemon, name).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let status = String::from_utf8_lossy(&answer[9..12]).parse().unwrap();
    (status, answer)
}

/// A request's status and body.
#[track_caller]
fn ask(daemon: &Daemon, name: &str, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = connect(daemon, name).unwrap_or_else(|e| panic!("{name}: {e}"));
    let head = format!("{method} {path} HTTP/1.0\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).unwrap();
    // A refusal may come before the body was sent.
    let _ = stream.write_all(body.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    (status.unwrap_or_else(|| panic!("{method} {path}: {answer:?}")), body.to_owned())
}

#[track_caller]
fn get(daemon: &Daemon, name: &str, path: &str) -> String {
    let (status, body) = ask(daemon, name, "GET", path, "");
    assert_eq!(status, 200, "{path}: {body}");
    body
}

#[track_caller]
fn get_json(daemon: &Daemon, name: &str, path: &str) -> Value {
    serde_json::from_str(&get(daemon, name, path)).unwrap()
}

#[test]
fn an_instance_hears_of_itself_and_of_nobody_else() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    daemon.busybox("y");
    daemon.lxc(["config", "set", "x", "user.note=mine", "user.meta-data=tag: 7"]).ok();
    daemon
        .lxc(["config", "set", "y", "user.note=theirs", "cloud-init.user-data=#cloud-config"])
        .ok();
    assert_eq!(get_json(&daemon, "x", "/"), json!(["/1.0"]));
    let about = get_json(&daemon, "x", "/1.0");
    assert_eq!(about["api_version"], "1.0");
    assert_eq!(about["instance_type"], "container");
    assert_eq!(about["state"], "Started");
    assert_eq!(get(&daemon, "x", "/1.0/config/user.note"), "mine");
    assert_eq!(get(&daemon, "y", "/1.0/config/user.note"), "theirs");
    let keys = get_json(&daemon, "y", "/1.0/config");
    assert_eq!(keys, json!(["/1.0/config/cloud-init.user-data", "/1.0/config/user.note"]));
    for key in ["volatile.uuid", "limits.cpu", "security.privileged"] {
        assert_eq!(ask(&daemon, "x", "GET", &format!("/1.0/config/{key}"), "").0, 403, "{key}");
    }
    assert_eq!(ask(&daemon, "x", "GET", "/1.0/config/user.none", "").0, 404);
    assert_eq!(ask(&daemon, "x", "GET", "/1.0/instances", "").0, 404);
    assert_eq!(ask(&daemon, "x", "PUT", "/1.0", "{}").0, 405);
    assert_eq!(ask(&daemon, "x", "GET", "/1.0/images/abc/export", "").0, 403);
    let devices = get_json(&daemon, "x", "/1.0/devices");
    assert_eq!(devices["root"]["path"], "/");
    let config = daemon.get("/1.0/instances/x")["config"].take();
    assert_eq!(devices["eth0"]["hwaddr"], config["volatile.eth0.hwaddr"]);
    let id = config["volatile.cloud-init.instance-id"].as_str().unwrap_or_default().to_owned();
    let meta = get(&daemon, "x", "/1.0/meta-data");
    assert_eq!(meta, format!("#cloud-config\ninstance-id: {id}\nlocal-hostname: x\ntag: 7"));
}

#[test]
fn an_instance_says_that_it_is_ready() {
    let Some(mut daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    for wrong in ["", "{}", r#"{"state":"Gone"}"#, "[", r#"{"state":true}"#] {
        assert_eq!(ask(&daemon, "x", "PATCH", "/1.0", wrong).0, 400, "{wrong}");
    }
    let (status, body) = ask(&daemon, "x", "PATCH", "/1.0", r#"{"state":"Ready"}"#);
    assert_eq!((status, body.as_str()), (200, ""));
    assert_eq!(get_json(&daemon, "x", "/1.0")["state"], "Ready");
    assert_eq!(daemon.status("x"), "Ready");
    assert!(daemon.lxc(["list"]).text().contains("| READY "));
    // Also for the next daemon, whose socket is another one.
    daemon.restart();
    assert_eq!(daemon.status("x"), "Ready");
    assert_eq!(get_json(&daemon, "x", "/1.0")["state"], "Ready");
    // All that run are stopped, also those that are ready.
    daemon.cli(["restart", "x"]).ok();
    assert_eq!(daemon.status("x"), "Running");
    assert_eq!(get_json(&daemon, "x", "/1.0")["state"], "Started");
    assert_eq!(ask(&daemon, "x", "PATCH", "/1.0", r#"{"state":"Ready"}"#).0, 200);
    daemon.lxc(["stop", "--all", "--force"]).ok();
    assert_eq!(daemon.status("x"), "Stopped");
    let config = daemon.get("/1.0/instances/x")["config"].take();
    assert_eq!(config["volatile.last_state.ready"], Value::Null);
}

#[test]
fn an_instance_hears_what_changes() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    let listen = |query: &str| {
        let mut stream = connect(&daemon, "x").unwrap();
        stream
            .write_all(format!("GET /1.0/events{query} HTTP/1.1\r\nHost: l\r\n\r\n").as_bytes())
            .unwrap();
        let mut lines = BufReader::new(stream);
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            lines.read_line(&mut line).unwrap();
        }
        lines
    };
    let (mut all, mut devices) = (listen(""), listen("?type=device"));
    assert_eq!(ask(&daemon, "x", "GET", "/1.0/events?type=gossip", "").0, 400);
    daemon.lxc(["config", "set", "x", "limits.memory=300MiB", "user.note=1"]).ok();
    daemon.lxc(["config", "device", "add", "x", "d", "disk", "source=/etc", "path=/mnt/etc"]).ok();
    daemon.lxc(["profile", "set", "default", "user.of_profile=2"]).ok();
    let told = next(&mut all);
    assert_eq!(told["type"], "config");
    assert_eq!(told["metadata"], json!({"key": "user.note", "old_value": "", "value": "1"}));
    let told = next(&mut all);
    assert_eq!((&told["type"], &told["metadata"]["action"]), (&json!("device"), &json!("added")));
    assert_eq!(told["metadata"]["config"]["path"], "/mnt/etc");
    assert_eq!(next(&mut all)["metadata"]["key"], "user.of_profile");
    assert_eq!(next(&mut devices)["metadata"]["name"], "d");
}

/// The next event of a stream in chunks.
#[track_caller]
fn next(lines: &mut impl BufRead) -> Value {
    loop {
        let mut line = String::new();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "the stream has ended");
        if line.starts_with('{') {
            return serde_json::from_str(&line).unwrap();
        }
    }
}

#[test]
fn an_instance_has_public_images_if_it_may() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    let image = daemon.get("/1.0/images/aliases/busybox")["target"].clone();
    let image = image.as_str().unwrap();
    let path = format!("/1.0/images/{image}/export");
    let status = || ask_bytes(&daemon, "x", &path).0;
    assert_eq!(status(), 403);
    daemon.lxc(["config", "set", "x", "security.devlxd.images=true"]).ok();
    // It is nobody else's yet.
    assert_eq!(status(), 404);
    daemon.request("PATCH", &format!("/1.0/images/{image}"), r#"{"public": true}"#).ok();
    let (status, bytes) = ask_bytes(&daemon, "x", &path);
    let file = std::fs::read(daemon.folder().join("images").join(image)).unwrap();
    assert!(status == 200 && bytes.ends_with(&file), "{status}: {} bytes", bytes.len());
    assert_eq!(ask_bytes(&daemon, "x", "/1.0/images/no/export").0, 404);
}

#[test]
fn what_is_turned_off_is_off_at_once() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    let mut held = connect(&daemon, "x").unwrap();
    daemon.lxc(["config", "set", "x", "security.devlxd=false"]).ok();
    assert!(connect(&daemon, "x").is_err());
    // Also on a connection that was there.
    let _ = held.write_all(b"GET /1.0 HTTP/1.0\r\n\r\n");
    let mut answer = String::new();
    let _ = held.read_to_string(&mut answer);
    assert_eq!(answer, "");
    daemon.lxc(["config", "set", "x", "security.devlxd=true"]).ok();
    assert_eq!(get_json(&daemon, "x", "/"), json!(["/1.0"]));
    // One that starts without has not even the folder.
    daemon.lxc(["config", "set", "x", "security.devlxd=false"]).ok();
    daemon.cli(["restart", "x"]).ok();
    assert_eq!(daemon.sh("x", "test -e /dev/lxd").status, 1);
}

#[test]
fn a_hostile_instance_harms_only_itself() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    daemon.busybox("y");
    // The folder is nobody's to write, and shows nothing but the socket.
    assert_eq!(daemon.sh("x", "ls -A /dev/lxd").text(), "sock");
    for wish in [
        "rm /dev/lxd/sock",
        "touch /dev/lxd/a",
        "chmod 666 /dev/lxd/sock",
        "mount -o remount,bind,rw /dev/lxd",
    ] {
        assert_ne!(daemon.sh("x", wish).status, 0, "{wish}");
    }
    assert_eq!(daemon.sh("x", "stat -c %u:%a /dev/lxd/sock").text(), "0:600");
    // A body without end, a head without end.
    let big = "x".repeat(1 << 20);
    assert_eq!(ask(&daemon, "x", "PATCH", "/1.0", &big).0, 400);
    let mut stream = connect(&daemon, "x").unwrap();
    // It is thrown out in the middle of it.
    let sent = stream.write_all(format!("GET /1.0/config/user.{big} HTTP/1.0\r\n\r\n").as_bytes());
    assert!(sent.is_err(), "all of it was read");
    // Connections that say nothing, and that would listen for ever, are its own.
    let idle: Vec<_> = (0..40).filter_map(|_| connect(&daemon, "x").ok()).collect();
    for mut one in &idle {
        let _ = one.write_all(b"GET /1.0/events HTTP/1.1\r\nHost: l\r\n\r\n");
    }
    assert_eq!(get_json(&daemon, "y", "/"), json!(["/1.0"]));
    assert_eq!(daemon.status("x"), "Running");
    drop(idle);
    until("it is answered again", || (ask(&daemon, "x", "GET", "/", "").0 == 200).then_some(()));
    // It stops and goes while somebody listens.
    let _listening = connect(&daemon, "x").unwrap();
    daemon.cli(["delete", "x", "--force"]).ok();
}

#[test]
fn only_root_inside_may_ask() {
    let Some(daemon) = Daemon::debian() else { return };
    daemon.cli(["launch", "local:debian", "d", "-c", "user.note=mine"]).ok();
    let line = r#"perl -MIO::Socket::UNIX -e '$s = IO::Socket::UNIX->new("/dev/lxd/sock") or die "no: $!\n";
        print $s "GET /1.0/config/user.note HTTP/1.0\r\n\r\n"; print <$s>'"#;
    let said = daemon.sh("d", line).text();
    assert!(said.ends_with("\r\n\r\nmine"), "{said}");
    let said = daemon.cli(["exec", "d", "--user", "1000", "--", "sh", "-c", line]).fails();
    assert!(said.contains("Permission denied"), "{said}");
}
