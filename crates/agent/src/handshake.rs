//! How both ends find the beginning of a connection.
//!
//! A port of virtio-serial is one stream for ever: what an earlier daemon sent and nobody read, and
//! half of what an earlier agent answered, may still be in it. So the daemon says hello with a
//! nonce, again and again with another one each time, until the last of them is answered; all else
//! is thrown away. An agent that still takes the old connection for alive finds no frame of HTTP/2
//! in a hello and gives it up; should it wait for the rest of a frame, the padding fills that.
//!
//! ```text
//! daemon  "\n" "microcloud-hello {nonce, protocols, version}" "\n"
//! agent   "\n" "microcloud-welcome {nonce, protocol, version}" "\n"
//! daemon  the preface of HTTP/2
//! ```

use std::io;

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, split};

use crate::{
    error::{Error, Result},
    limits,
    rewind::Rewind,
    words::PROTOCOLS,
};

const HELLO: &str = "microcloud-hello ";
const WELCOME: &str = "microcloud-welcome ";
/// The first line of HTTP/2 (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r";
/// More than a frame with its header of nine bytes.
const PADDING: usize = limits::FRAME as usize + 64;

/// The daemon's word.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Hello {
    nonce: String,
    protocols: (u32, u32),
    version: String,
}

/// The agent's.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Welcome {
    nonce: String,
    /// The version of the protocol that both speak from now on; 0 if there is none.
    pub(crate) protocol: u32,
    /// The agent's own version.
    pub(crate) version: String,
}

/// The daemon's part. The caller limits its time.
pub(crate) async fn greet<S>(stream: S) -> Result<(Welcome, Rewind<S>)>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut from, mut to) = split(stream);
    let mut lines = Lines::default();
    let mut pause = limits::HELLO_AGAIN;
    let mut padding = 0;
    let welcome = loop {
        let nonce = uuid::Uuid::new_v4().simple().to_string();
        let hello = Hello { nonce, protocols: PROTOCOLS, version: version() };
        let line = line(HELLO, &hello, padding);
        let said = async {
            to.write_all(&line).await.map_err(|_| Error::Gone)?;
            tokio::time::sleep(pause).await;
            Ok::<_, Error>(())
        };
        tokio::select! {
            heard = lines.answer(&mut from, &hello.nonce) => break heard?,
            said = said => said?,
        }
        // Once is enough: it fills one frame. Then the wait grows, for a guest that boots slowly.
        if padding == 0 {
            padding = PADDING;
        } else {
            padding = 1;
            pause = (pause * 2).min(limits::HELLO_AGAIN_AT_MOST);
        }
    };
    if welcome.protocol == 0 {
        return Err(Error::Version { version: welcome.version });
    }
    Ok((welcome, Rewind { first: lines.rest(), stream: from.unsplit(to) }))
}

/// The agent's part; `None` if the host is gone.
pub(crate) async fn answer<S>(mut stream: S) -> io::Result<Option<Rewind<S>>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut lines = Lines::default();
    let mut greeted = false;
    loop {
        while let Some(line) = lines.next() {
            if let Some(hello) = parse::<Hello>(&line, HELLO) {
                let protocol = common(hello.protocols);
                let welcome = Welcome { nonce: hello.nonce, protocol, version: version() };
                stream.write_all(&self::line(WELCOME, &welcome, 1)).await?;
                greeted = protocol > 0;
            } else if greeted && line == PREFACE {
                let first = [PREFACE, b"\n", &lines.rest()].concat().into();
                return Ok(Some(Rewind { first, stream }));
            }
        }
        if !lines.read(&mut stream).await? {
            return Ok(None);
        }
    }
}

/// What an agent says when it comes to a port: a daemon that still talks to one that is gone, be it
/// killed or rebooted, notices.
pub(crate) fn announcement() -> Vec<u8> {
    let mut text = vec![b'\n'; PADDING];
    text.extend(b"microcloud-agent started\n");
    text
}

fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

fn common((lowest, highest): (u32, u32)) -> u32 {
    let best = highest.min(PROTOCOLS.1);
    if best >= lowest.max(PROTOCOLS.0) { best } else { 0 }
}

fn line<T: Serialize>(word: &str, message: &T, padding: usize) -> Vec<u8> {
    let mut text = vec![b'\n'; padding];
    text.extend(word.bytes());
    // Structs of numbers and texts have no value that JSON lacks.
    text.extend(serde_json::to_vec(message).unwrap_or_default());
    text.push(b'\n');
    text
}

fn parse<'a, T: Deserialize<'a>>(line: &'a [u8], word: &str) -> Option<T> {
    serde_json::from_slice(line.strip_prefix(word.as_bytes())?).ok()
}

/// A stream, as lines; those that are too long are none.
#[derive(Default)]
struct Lines {
    buffer: BytesMut,
    /// In the middle of one that was too long.
    skipping: bool,
}

impl Lines {
    /// False at the end.
    async fn read(&mut self, from: &mut (impl AsyncRead + Unpin)) -> io::Result<bool> {
        if self.buffer.len() >= limits::LINE {
            self.buffer.clear();
            self.skipping = true;
        }
        self.buffer.reserve(limits::LINE);
        Ok(from.read_buf(&mut self.buffer).await? > 0)
    }

    fn next(&mut self) -> Option<Bytes> {
        loop {
            let end = self.buffer.iter().position(|byte| *byte == b'\n')?;
            let line = self.buffer.split_to(end + 1).freeze().slice(..end);
            if !std::mem::take(&mut self.skipping) && !line.is_empty() {
                return Some(line);
            }
        }
    }

    /// The welcome with this nonce.
    async fn answer<S>(&mut self, from: &mut ReadHalf<S>, nonce: &str) -> Result<Welcome>
    where
        S: AsyncRead + Unpin,
    {
        loop {
            while let Some(line) = self.next() {
                match parse::<Welcome>(&line, WELCOME) {
                    Some(welcome) if welcome.nonce == nonce => return Ok(welcome),
                    _ => {}
                }
            }
            match self.read(from).await {
                Ok(true) => {}
                Ok(false) | Err(_) => return Err(Error::Gone),
            }
        }
    }

    fn rest(&mut self) -> Bytes {
        self.buffer.split().freeze()
    }
}
