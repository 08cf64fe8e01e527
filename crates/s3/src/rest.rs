//! The body of a request that may be refused before it was read. Its rest is read and thrown away, so that the
//! client gets the answer on a connection that stays: hyper closes one with bytes in it that nobody wants.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, header::EXPECT};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::timeout;

/// Bytes that are thrown away; a client that has more to send finds its connection closed.
const MOST: usize = 1 << 20;
/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A request's body.
pub(crate) struct Rest {
    body: Option<Incoming>,
    /// Whether the client waits to be asked for it: then nobody asks for what is not wanted.
    waits: bool,
}

/// A request with such a body.
pub(crate) fn whole(request: Request<Incoming>) -> Request<s3s::Body> {
    let waits = request.headers().contains_key(EXPECT);
    request.map(|body| s3s::Body::http_body(Rest { body: Some(body), waits }))
}

impl Body for Rest {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
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
