//! An answer that is a file, with what its headers say of it.

use bytes::Bytes;
use http_body_util::BodyDataStream;
use hyper::{HeaderMap, Response as HttpResponse, body::Incoming};
use serde::de::DeserializeOwned;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::{Error, Result, answer};

/// An answer of which the body is still to come.
pub struct Received {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) response: HttpResponse<Incoming>,
}

impl Received {
    /// Refuses what is an error.
    pub(crate) async fn checked(
        method: &'static str,
        path: String,
        response: HttpResponse<Incoming>,
    ) -> Result<Received> {
        let status = response.status().as_u16();
        if status < 400 {
            return Ok(Received { method, path, response });
        }
        let bytes = answer::collect(method, &path, response).await?;
        Err(answer::refusal(&path, status, &bytes))
    }

    /// What a header says; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        let headers: &HeaderMap = self.response.headers();
        headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Writes the body.
    ///
    /// # Errors
    /// When it breaks off, or cannot be written.
    pub async fn copy_to(self, into: &mut (impl AsyncWrite + Unpin)) -> Result<()> {
        answer::file(self.method, &self.path, self.response, into).await
    }

    /// The files that the body is a form of; as it was where it is one file.
    ///
    /// # Errors
    /// Its own self.
    pub fn form(self) -> Result<Form, Box<Received>> {
        match multer::parse_boundary(self.header("content-type")) {
            Ok(boundary) => {
                let body = BodyDataStream::new(self.response.into_body());
                Ok(Form { path: self.path, parts: multer::Multipart::new(body, boundary) })
            }
            Err(_) => Err(Box::new(self)),
        }
    }

    /// The body.
    ///
    /// # Errors
    /// When it breaks off.
    pub async fn bytes(self) -> Result<Bytes> {
        answer::collect(self.method, &self.path, self.response).await
    }

    /// The result in the envelope that the body is.
    ///
    /// # Errors
    /// When it breaks off, or is no such thing.
    pub async fn reply<R: DeserializeOwned>(self) -> Result<R> {
        Ok(answer::envelope(self.method, &self.path, self.response).await?.reply)
    }
}

/// Files that come one after another (RFC 7578).
pub struct Form {
    path: String,
    parts: multer::Multipart<'static>,
}

impl Form {
    /// Writes the next file where `place` says, by the name of its field; false after the last.
    ///
    /// # Errors
    /// When it breaks off, there is no place, or it cannot be written.
    pub async fn next<W, E>(
        &mut self,
        place: impl AsyncFnOnce(&str) -> Result<W, E>,
    ) -> Result<bool, E>
    where
        W: AsyncWrite + Unpin,
        E: From<Error>,
    {
        let broken = |source| Error::Form { path: self.path.clone(), source };
        let unwritten = |source| Error::Write { path: self.path.clone(), source };
        let Some(mut part) = self.parts.next_field().await.map_err(broken)? else {
            return Ok(false);
        };
        let mut into = place(part.name().unwrap_or_default()).await?;
        while let Some(bytes) = part.chunk().await.map_err(broken)? {
            into.write_all(&bytes).await.map_err(unwritten)?;
        }
        into.flush().await.map_err(unwritten)?;
        Ok(true)
    }
}

/// What is sent in place of JSON.
#[derive(Debug)]
pub enum Content {
    /// Bytes that are in memory.
    Bytes(Bytes),
    /// A file, as long as it is now.
    File(std::path::PathBuf),
}

impl From<String> for Content {
    fn from(text: String) -> Content {
        Content::Bytes(text.into())
    }
}
