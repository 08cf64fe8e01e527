//! Contents of files on their way, in files without a name.

use std::{fs::File, io, path::Path};

use bytes::BytesMut;
use http_body_util::BodyExt;
use hyper::{Method, header::CONTENT_LENGTH};
use rustix::{fs::fstatvfs, io::Errno};
use tokio::{
    io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt},
    sync::mpsc,
    time::timeout,
};

use super::call::Requests;
use crate::{
    body::Body,
    error::{Error, Result},
    limits,
};

const FETCH: &str = "send a file";
const SEND: &str = "take a file";

/// One that is nowhere to be seen, and gone when it is closed.
pub(super) fn empty(folder: &Path) -> io::Result<File> {
    tempfile::tempfile_in(folder)
}

/// Fetches contents. What comes is the guest's, as much as it likes: the disk is not filled.
pub(super) async fn fetch(requests: &Requests, path: &str, to: File) -> Result<()> {
    let request = requests.request(Method::GET, path, Body::empty());
    let answer = timeout(limits::STALL, requests.send(FETCH, request)).await;
    let mut body = answer.map_err(late(FETCH))??.into_body();
    let mut file = tokio::fs::File::from_std(to);
    file.set_max_buf_size(limits::SPOOL);
    let mut unchecked = 0;
    while let Some(frame) = timeout(limits::STALL, body.frame()).await.map_err(late(FETCH))? {
        let Ok(bytes) = frame.map_err(|_| Error::Gone)?.into_data() else { continue };
        if unchecked == 0 {
            has_room(&file).map_err(local)?;
        }
        unchecked = (unchecked + bytes.len()) % limits::LOOK_FOR_ROOM;
        if unchecked < bytes.len() {
            unchecked = 0;
        }
        file.write_all(&bytes).await.map_err(local)?;
    }
    file.flush().await.map_err(local)
}

fn has_room(file: &tokio::fs::File) -> io::Result<()> {
    let space = fstatvfs(file)?;
    let (all, free) = (space.f_blocks, space.f_bavail);
    let least = (limits::ROOM / space.f_frsize.max(1)).min(all / 20);
    if free < least { Err(Errno::NOSPC.into()) } else { Ok(()) }
}

/// Sends all of a file; answered when it was written.
pub(super) async fn send(requests: &Requests, path: &str, from: File) -> Result<()> {
    let length = from.metadata().map_err(local)?.len();
    let (pieces, body) = mpsc::channel(2);
    let mut request = requests.request(Method::PUT, path, Body::Pieces(body));
    request.headers_mut().insert(CONTENT_LENGTH, length.into());
    let answer = requests.send(SEND, request);
    let mut file = tokio::fs::File::from_std(from);
    file.set_max_buf_size(limits::SPOOL);
    let feed = async move {
        file.rewind().await.map_err(local)?;
        let mut from = file.take(length);
        let mut buffer = BytesMut::new();
        loop {
            buffer.reserve(limits::BLOCK);
            if from.read_buf(&mut buffer).await.map_err(local)? == 0 {
                return Ok(());
            }
            let sent = pieces.send(Ok(buffer.split().freeze()));
            // If nobody takes it any more, the answer says why.
            match timeout(limits::STALL, sent).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Ok(()),
                Err(_) => return Err(Error::Late { call: SEND }),
            }
        }
    };
    tokio::pin!(answer);
    let early = tokio::select! {
        early = &mut answer => Some(early),
        fed = feed => fed.map(|()| None)?,
    };
    match early {
        Some(early) => early.map(drop),
        None => timeout(limits::STALL, answer).await.map_err(late(SEND))?.map(drop),
    }
}

fn late(call: &'static str) -> impl FnOnce(tokio::time::error::Elapsed) -> Error {
    move |_| Error::Late { call }
}

fn local(source: io::Error) -> Error {
    Error::Local { verb: "keep a file", source }
}
