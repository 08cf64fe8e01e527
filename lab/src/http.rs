//! Requests as they are, over the unix socket: also those no client would send.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use serde_json::Value;

/// An answer that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The entity tag, if there was one.
    pub etag: Option<String>,
    /// The body; `Null` when it is no JSON.
    pub body: Value,
}

impl Reply {
    /// What was asked for; fails unless the answer is a success.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!(self.status < 300, "a request failed: {self:?}");
        self.body["metadata"].clone()
    }

    /// The error's words.
    pub fn error(&self) -> &str {
        self.body["error"].as_str().unwrap_or_default()
    }
}

/// Sends a request to a daemon's socket and reads the whole answer. HTTP/1.0 is enough and has no chunks.
///
/// # Errors
/// Nobody listens there, or it took too long.
pub fn send(
    socket: &Path,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> std::io::Result<Reply> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    let mut head = format!("{method} {path} HTTP/1.0\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    // A server may answer before it has read all of a body it refuses.
    let sent = stream.write_all(body);
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    if answer.is_empty() {
        sent?;
        read?;
    }
    Ok(parse(&answer))
}

fn parse(answer: &[u8]) -> Reply {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default();
    let etag = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("etag").then(|| value.to_owned())
    });
    Reply { status, etag, body: serde_json::from_str(body).unwrap_or_default() }
}
