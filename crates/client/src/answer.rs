//! Reading answers: envelopes, files, errors.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::{
    Response as HttpResponse,
    body::{Body, Incoming},
    header,
};
use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use wire::Response;

use crate::{Answer, Error, Result};

/// Bytes that are set aside for a body because it says that it is so long.
const MOST_AT_ONCE: usize = 16 << 20;

/// The whole body.
pub(crate) async fn collect(
    method: &'static str,
    path: &str,
    response: HttpResponse<Incoming>,
) -> Result<Bytes> {
    let mut body = response.into_body();
    let length = usize::try_from(body.size_hint().lower()).unwrap_or(MOST_AT_ONCE);
    let mut whole = BytesMut::with_capacity(length.min(MOST_AT_ONCE));
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|source| Error::Broken { method, path: path.to_owned(), source })?;
        if let Ok(data) = frame.into_data() {
            whole.extend_from_slice(&data);
        }
    }
    Ok(whole.freeze())
}

/// The result in an envelope.
pub(crate) async fn envelope<R: DeserializeOwned>(
    method: &'static str,
    path: &str,
    response: HttpResponse<Incoming>,
) -> Result<Answer<R>> {
    let status = response.status().as_u16();
    let etag = response.headers().get(header::ETAG);
    let etag = etag.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let bytes = collect(method, path, response).await?;
    if status >= 400 {
        return Err(refusal(path, status, &bytes));
    }
    let decode = |source| Error::Decode { path: path.to_owned(), status, source };
    let envelope: Response<R> = serde_json::from_slice(&bytes).map_err(decode)?;
    match envelope.metadata.map_or_else(nothing, Ok) {
        Ok(reply) => Ok(Answer { reply, etag }),
        Err(source) => Err(decode(source)),
    }
}

/// `null` as a result: Go writes an empty list, and nothing at all, in this way.
fn nothing<R: DeserializeOwned>() -> serde_json::Result<R> {
    serde_json::from_str("{}").or_else(|_| serde_json::from_str("[]"))
}

/// A file that is not in an envelope.
pub(crate) async fn file(
    method: &'static str,
    path: &str,
    response: HttpResponse<Incoming>,
    into: &mut (impl AsyncWrite + Unpin),
) -> Result<()> {
    let status = response.status().as_u16();
    if status >= 400 {
        let bytes = collect(method, path, response).await?;
        return Err(refusal(path, status, &bytes));
    }
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|source| Error::Broken { method, path: path.to_owned(), source })?;
        if let Ok(data) = frame.into_data() {
            let written = into.write_all(&data).await;
            written.map_err(|source| Error::Write { path: path.to_owned(), source })?;
        }
    }
    let flushed = into.flush().await;
    flushed.map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// The daemon's own words for a refusal.
pub(crate) fn refusal(path: &str, status: u16, body: &[u8]) -> Error {
    match serde_json::from_slice::<Response<IgnoredAny>>(body) {
        Ok(envelope) => Error::Api { code: status, message: envelope.error },
        Err(source) => Error::Decode { path: path.to_owned(), status, source },
    }
}
