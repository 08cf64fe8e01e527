//! Replies that are files, sent while they are read.

use std::{io, path::Path};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::{Bytes, BytesMut};
use cloud::Error;
use futures_util::{Stream, StreamExt, stream};
use http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use tokio::{
    fs::File,
    io::{AsyncReadExt, Take},
};

use crate::error::Result;

/// Bytes read from a file at once.
const BLOCK: usize = 256 << 10;

/// A file as a part of a form.
pub(crate) struct Part<'a> {
    /// Name of the field.
    pub(crate) field: &'static str,
    /// What the client should call it.
    pub(crate) filename: String,
    /// Where it is.
    pub(crate) path: &'a Path,
}

/// A text that is in memory.
pub(crate) fn text(bytes: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], bytes).into_response()
}

/// A file; `name` is what the client should call it.
pub(crate) async fn file(path: &Path, name: &str) -> Result<Response> {
    let (file, length) = open(path).await?;
    let headers = [
        (CONTENT_TYPE, String::from("application/octet-stream")),
        (CONTENT_LENGTH, length.to_string()),
        (CONTENT_DISPOSITION, format!("inline; filename=\"{}\"", plain(name))),
    ];
    Ok((headers, Body::from_stream(blocks(file))).into_response())
}

/// Files as a form (RFC 7578).
pub(crate) async fn form(parts: &[Part<'_>]) -> Result<Response> {
    let boundary = uuid::Uuid::new_v4().simple().to_string();
    let end = format!("--{boundary}--\r\n");
    let mut total = end.len() as u64;
    let mut pieces = Vec::new();
    for part in parts {
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"; filename=\"{}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n",
            part.field,
            plain(&part.filename)
        );
        let (file, length) = open(part.path).await?;
        total += head.len() as u64 + length + 2;
        pieces.push(once(head).chain(blocks(file)).chain(once(String::from("\r\n"))).boxed());
    }
    pieces.push(once(end).boxed());
    let headers = [
        (CONTENT_TYPE, format!("multipart/form-data; boundary={boundary}")),
        (CONTENT_LENGTH, total.to_string()),
    ];
    Ok((headers, Body::from_stream(stream::iter(pieces).flatten())).into_response())
}

async fn open(path: &Path) -> Result<(Take<File>, u64)> {
    let opened = async {
        let file = File::open(path).await?;
        let length = file.metadata().await?.len();
        Ok((file.take(length), length))
    };
    Ok(opened.await.map_err(Error::file("read", path))?)
}

/// The contents: as much as there was when it was opened, for a log may grow.
fn blocks(file: Take<File>) -> impl Stream<Item = io::Result<Bytes>> + Send {
    stream::try_unfold(file, |mut file| async {
        let mut block = BytesMut::with_capacity(BLOCK);
        let read = file.read_buf(&mut block).await?;
        Ok((read > 0).then(|| (block.freeze(), file)))
    })
}

fn once(text: String) -> impl Stream<Item = io::Result<Bytes>> + Send {
    stream::once(async { Ok(Bytes::from(text)) })
}

/// A name that can stand between quotes in a header.
fn plain(name: &str) -> String {
    let fits = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\');
    name.chars().map(|c| if fits(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_form_is_as_long_as_it_says_and_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        std::fs::write(&one, "metadata").unwrap();
        std::fs::write(&two, vec![b'x'; 3 * BLOCK]).unwrap();
        let part = |field, path| Part { field, filename: String::from("a \"b\""), path };
        let reply = form(&[part("metadata", &one), part("rootfs", &two)]).await.unwrap();
        let (head, body) = reply.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        assert_eq!(head.headers[CONTENT_LENGTH], body.len().to_string());
        let boundary = multer::parse_boundary(head.headers[CONTENT_TYPE].to_str().unwrap());
        let whole = stream::once(async { Ok::<_, io::Error>(body) });
        let mut form = multer::Multipart::new(whole, boundary.unwrap());
        let first = form.next_field().await.unwrap().unwrap();
        assert_eq!((first.name(), first.file_name()), (Some("metadata"), Some("a__b_")));
        assert_eq!(first.bytes().await.unwrap(), "metadata");
        let second = form.next_field().await.unwrap().unwrap();
        assert_eq!(second.bytes().await.unwrap().len(), 3 * BLOCK);
        assert!(form.next_field().await.unwrap().is_none());
    }
}
