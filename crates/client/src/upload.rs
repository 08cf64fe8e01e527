//! Sending the files of an image: one file as it is, two as a form.

use std::{
    io,
    path::{Path, PathBuf},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tokio::{
    fs::File,
    io::{AsyncRead, ReadBuf},
};

use crate::{Content, Error, Result, transport::Body};

/// What parts the fields of a form; no image holds this line by chance.
const BOUNDARY: &str = "microcloud-5d41402abc4b2a76b9719d911017c592";

/// Files of an image to send.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Upload {
    /// The only file, or the one with the metadata.
    pub metadata: PathBuf,
    /// The root file system of a split image.
    pub rootfs: Option<PathBuf>,
    /// Whether that root is the disk of a machine.
    pub disk: bool,
    /// Whether anybody may fetch the image.
    pub public: bool,
    /// Properties to add.
    pub properties: Vec<(String, String)>,
}

type Headers = Vec<(&'static str, String)>;

impl Upload {
    /// The headers and the body; files are read while they are sent.
    pub(crate) async fn into_body(self) -> Result<(Headers, Body)> {
        let mut headers = vec![("x-lxd-filename", file_name(&self.metadata))];
        if self.public {
            headers.push(("x-lxd-public", "1".into()));
        }
        if !self.properties.is_empty() {
            let text = serde_urlencoded::to_string(&self.properties);
            let text =
                text.map_err(|source| Error::Query { path: "/1.0/images".into(), source })?;
            headers.push(("x-lxd-properties", text));
        }
        let (kind, parts) = self.parts().await?;
        headers.push(("content-type", kind));
        headers.push(("content-length", parts.iter().map(Part::len).sum::<u64>().to_string()));
        Ok((headers, body(parts)))
    }

    async fn parts(&self) -> Result<(String, Vec<Part>)> {
        let Some(rootfs) = &self.rootfs else {
            let parts = vec![Part::open(&self.metadata).await?];
            return Ok(("application/octet-stream".into(), parts));
        };
        let parts = vec![
            field("", "metadata", &self.metadata),
            Part::open(&self.metadata).await?,
            field("\r\n", if self.disk { "rootfs.img" } else { "rootfs" }, rootfs),
            Part::open(rootfs).await?,
            Part::Text(format!("\r\n--{BOUNDARY}--\r\n").into()),
        ];
        Ok((format!("multipart/form-data; boundary={BOUNDARY}"), parts))
    }
}

fn field(before: &str, name: &str, path: &Path) -> Part {
    let file = file_name(path).replace(['"', '\r', '\n'], "_");
    let text = format!(
        "{before}--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{file}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    Part::Text(text.into())
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Bytes or one file as a body, and how long it is.
pub(crate) async fn content(content: Content) -> Result<(u64, Body)> {
    let part = match content {
        Content::Bytes(bytes) => Part::Text(bytes),
        Content::File(path) => Part::open(&path).await?,
    };
    Ok((part.len(), body(vec![part])))
}

/// A piece of a body.
enum Part {
    Text(Bytes),
    File { file: File, length: u64 },
}

impl Part {
    async fn open(path: &Path) -> Result<Self> {
        let failed = |source| Error::File { path: path.to_owned(), source };
        let file = File::open(path).await.map_err(failed)?;
        let length = file.metadata().await.map_err(failed)?.len();
        Ok(Self::File { file, length })
    }

    fn len(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::File { length, .. } => *length,
        }
    }
}

fn body(parts: Vec<Part>) -> Body {
    let frames = Frames { parts: parts.into(), buffer: BytesMut::new() };
    StreamBody::new(frames).boxed_unsync()
}

/// The pieces as frames of a body, files in blocks.
struct Frames {
    parts: std::collections::VecDeque<Part>,
    buffer: BytesMut,
}

/// Bytes read from a file at once.
const BLOCK: usize = 256 * 1024;

impl futures_util::Stream for Frames {
    type Item = io::Result<Frame<Bytes>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            let file = match this.parts.front_mut() {
                None => return Poll::Ready(None),
                Some(Part::Text(text)) => {
                    let text = std::mem::take(text);
                    this.parts.pop_front();
                    return Poll::Ready(Some(Ok(Frame::data(text))));
                }
                Some(Part::File { file, .. }) => file,
            };
            this.buffer.resize(BLOCK, 0);
            let mut buffer = ReadBuf::new(&mut this.buffer);
            match Pin::new(file).poll_read(cx, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(Ok(())) => {}
            }
            let read = buffer.filled().len();
            if read == 0 {
                this.parts.pop_front();
                continue;
            }
            return Poll::Ready(Some(Ok(Frame::data(this.buffer.split_to(read).freeze()))));
        }
    }
}
