//! An answer that is a file, with what its headers say of it.

use bytes::Bytes;
use hyper::{HeaderMap, Response as HttpResponse, body::Incoming};
use serde::de::DeserializeOwned;
use tokio::io::AsyncWrite;

use crate::{Result, answer};

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
