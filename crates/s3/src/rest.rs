//! The body of a request that may be refused before it was read. hyper closes a connection with bytes in it that
//! nobody wants, and a client that has its answer would find it closed at its next request. So the rest is read and
//! thrown away; and a client that waits to be asked for its body, and was not, is told that the connection ends.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderValue, Request,
    header::{CONNECTION, EXPECT},
};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use s3s::{HttpError, HttpResponse, service::S3Service};
use tokio::time::timeout;

/// Bytes that are thrown away; a client that has more to send finds its connection closed.
const MOST: usize = 64 << 20;
/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A request's body.
struct Rest {
    body: Option<Incoming>,
    /// Whether the client waits to be asked for it: then nobody asks for what is not wanted.
    waits: bool,
    asked: Arc<AtomicBool>,
}

/// What the service answers.
pub(crate) async fn answer(
    service: S3Service,
    request: Request<Incoming>,
) -> Result<HttpResponse, HttpError> {
    let (waits, asked) = (request.headers().contains_key(EXPECT), Arc::<AtomicBool>::default());
    let seen = asked.clone();
    let request = request.map(|body| s3s::Body::http_body(Rest { body: Some(body), waits, asked }));
    let mut answer = service.call(request).await?;
    if waits && !seen.load(Ordering::Acquire) {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(answer)
}

impl Body for Rest {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.asked.store(true, Ordering::Release);
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        let rest = self.body.take().filter(|body| !self.waits && !body.is_end_stream());
        let Some(mut body) = rest else { return };
        tokio::spawn(timeout(PATIENCE, async move {
            let mut left = MOST;
            while let Some(Ok(frame)) = body.frame().await {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                match left.checked_sub(bytes) {
                    Some(less) => left = less,
                    None => return,
                }
            }
        }));
    }
}
