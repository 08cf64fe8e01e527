//! The task that owns the socket.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    mem::MaybeUninit,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    io::Errno,
    net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg},
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader, Interest},
    net::UnixStream,
    sync::{broadcast, mpsc, oneshot},
};

use super::{Ask, Call, Event, words::Line};
use crate::Result;

/// The longest line that is read. QEMU's longest is a list of a few KiB; the process it comes from may be
/// in a guest's hands.
const LONGEST: u64 = 4 << 20;

type Answer = (&'static str, oneshot::Sender<Result<Value>>);

/// Connects with one of QEMU's sockets; `None` if nobody listens there yet. What lies in the folder is QEMU's:
/// a link is not followed.
///
/// # Errors
/// The folder or the socket cannot be opened.
pub async fn open_socket(folder: &Path, name: &str) -> io::Result<Option<UnixStream>> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let folder = openat(CWD, folder, flags | OFlags::DIRECTORY, Mode::empty())?;
    let socket: OwnedFd = match openat(&folder, name, flags | OFlags::NOFOLLOW, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(None),
        opened => opened?,
    };
    // Short, however long the folder's path is.
    match UnixStream::connect(format!("/proc/self/fd/{}", socket.as_raw_fd())).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(None),
        connected => connected.map(Some),
    }
}

/// Serves until one side is gone. Whoever still waits then is told so by the end of his channel.
pub(super) async fn serve(
    stream: UnixStream,
    mut asked: mpsc::Receiver<Ask>,
    events: broadcast::Sender<Event>,
) {
    let (reader, writer) = stream.into_split();
    let mut reader = BufReader::new(reader.take(u64::MAX));
    let (mut line, mut waiting) = (Vec::new(), VecDeque::<Answer>::new());
    loop {
        reader.get_mut().set_limit(LONGEST);
        tokio::select! {
            ask = asked.recv() => {
                let Some(Ask { call, fds, answer }) = ask else { return };
                let command = call.command;
                if let Err(source) = send(writer.as_ref(), &call, fds).await {
                    tracing::debug!(%source, command, "QMP");
                    return;
                }
                waiting.push_back((command, answer));
            }
            // What was read of a line stays in `line` when the other branch is faster.
            read = reader.read_until(b'\n', &mut line) => {
                match read {
                    Ok(_) if line.ends_with(b"\n") => {}
                    Ok(0) | Err(_) => return,
                    Ok(_) if line.len() as u64 >= LONGEST => return,
                    Ok(_) => continue,
                }
                let heard = Line::parse(&line);
                line.clear();
                hear(heard, &mut waiting, &events);
            }
        }
    }
}

fn hear(line: Result<Line>, waiting: &mut VecDeque<Answer>, events: &broadcast::Sender<Event>) {
    match line {
        // Nobody may be listening.
        Ok(Line::Event(event)) => drop(events.send(event)),
        Ok(Line::Greeting { .. }) => {}
        Ok(Line::Done { r#return }) => {
            if let Some((_, answer)) = waiting.pop_front() {
                // Whoever asked may have given up.
                let _ = answer.send(Ok(r#return));
            }
        }
        Ok(Line::Failed { error }) => {
            if let Some((command, answer)) = waiting.pop_front() {
                let _ = answer.send(Err(error.of(command)));
            }
        }
        Err(error) => {
            tracing::warn!(%error, "QMP");
            if let Some((_, answer)) = waiting.pop_front() {
                let _ = answer.send(Err(error));
            }
        }
    }
}

/// Descriptors go with the first byte.
async fn send(stream: &UnixStream, call: &Call, fds: Vec<OwnedFd>) -> io::Result<()> {
    let mut text = serde_json::to_vec(call)?;
    text.push(b'\n');
    let (mut rest, mut fds) = (&text[..], fds);
    while !rest.is_empty() {
        stream.writable().await?;
        match stream.try_io(Interest::WRITABLE, || write(stream, rest, &fds)) {
            Ok(sent) => {
                rest = &rest[sent..];
                fds.clear();
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn write(stream: &UnixStream, bytes: &[u8], fds: &[OwnedFd]) -> io::Result<usize> {
    let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(io::Error::other("more than four descriptors with one command"));
    }
    Ok(sendmsg(stream, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)?)
}
