//! Requests to an agent, each with a time and a size.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::{Method, Request, Response, StatusCode, body::Incoming, client::conn::http2};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::timeout;

use crate::{
    body::Body,
    error::{Error, Result},
    limits::{self, Bounds},
    words::{Fault, NUMBERED},
};

/// HTTP/2 wants an authority; nobody looks at it.
const BASE: &str = "http://agent";

/// Where requests go.
#[derive(Debug, Clone)]
pub(super) struct Requests {
    sender: http2::SendRequest<Body>,
    /// The number of the next program; `None` where the agent numbers them.
    next: Option<Arc<AtomicU64>>,
    /// Drives the connection; verbs that block wait in it.
    pub(super) runtime: tokio::runtime::Handle,
}

impl Requests {
    /// Within tokio. `protocol` is the version both speak.
    pub(super) fn new(sender: http2::SendRequest<Body>, protocol: u32) -> Requests {
        let next = (protocol >= NUMBERED).then(Arc::default);
        Requests { sender, next, runtime: tokio::runtime::Handle::current() }
    }

    /// A number for a program, if it is the daemon who gives it.
    pub(super) fn number(&self) -> Option<u64> {
        self.next.as_ref().map(|next| next.fetch_add(1, Ordering::Relaxed))
    }

    pub(super) fn request(&self, method: Method, path: &str, body: Body) -> Request<Body> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        // Paths are this crate's own, with numbers in them.
        *request.uri_mut() = format!("{BASE}{path}").parse().unwrap_or_default();
        request
    }

    pub(super) fn json<T: Serialize>(&self, method: Method, path: &str, t: &T) -> Request<Body> {
        // None of the types has a value that JSON lacks.
        let text = serde_json::to_vec(t).unwrap_or_default();
        self.request(method, path, Body::Whole(text.into()))
    }

    /// Sends at once, in the order of the calls; gives the answer, whose body may still come.
    pub(super) fn send(
        &self,
        call: &'static str,
        request: Request<Body>,
    ) -> impl Future<Output = Result<Response<Incoming>>> + Send + use<> {
        let answer = self.sender.clone().send_request(request);
        async move {
            let answer = answer.await.map_err(|error| match is_of_request(&error) {
                true => Error::Nonsense { call },
                false => Error::Gone,
            })?;
            match answer.status() {
                StatusCode::OK => Ok(answer),
                StatusCode::NOT_FOUND => Err(Error::Unsupported { call }),
                _ => Err(fault(call, answer).await),
            }
        }
    }

    /// The whole answer.
    pub(super) async fn whole<T: DeserializeOwned>(
        &self,
        call: &'static str,
        request: Request<Body>,
        bounds: Bounds,
    ) -> Result<T> {
        let bytes = self.bytes(call, request, bounds).await?;
        serde_json::from_slice(&bytes).map_err(|_| Error::Nonsense { call })
    }

    /// An answer without words.
    pub(super) async fn done(
        &self,
        call: &'static str,
        request: Request<Body>,
        bounds: Bounds,
    ) -> Result<()> {
        self.bytes(call, request, bounds).await.map(drop)
    }

    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        call: &'static str,
        path: &str,
        bounds: Bounds,
    ) -> Result<T> {
        self.whole(call, self.request(Method::GET, path, Body::empty()), bounds).await
    }

    /// An answer that may take for ever; only the connection's end ends it.
    pub(super) async fn unhurried<T: DeserializeOwned>(
        &self,
        call: &'static str,
        request: Request<Body>,
    ) -> Result<T> {
        let bytes = read(call, self.send(call, request).await?, limits::MESSAGE).await?;
        serde_json::from_slice(&bytes).map_err(|_| Error::Nonsense { call })
    }

    async fn bytes(
        &self,
        call: &'static str,
        request: Request<Body>,
        bounds: Bounds,
    ) -> Result<Bytes> {
        let answer = async { read(call, self.send(call, request).await?, bounds.size).await };
        timeout(bounds.time, answer).await.map_err(|_| Error::Late { call })?
    }
}

/// Whether it is about one request, and not about the whole connection.
fn is_of_request(error: &hyper::Error) -> bool {
    let cause = std::error::Error::source(error);
    cause.and_then(|cause| cause.downcast_ref::<h2::Error>()).is_some_and(h2::Error::is_reset)
}

pub(super) async fn read(
    call: &'static str,
    answer: Response<Incoming>,
    limit: usize,
) -> Result<Bytes> {
    match Limited::new(answer.into_body(), limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            Err(Error::Nonsense { call })
        }
        Err(_) => Err(Error::Gone),
    }
}

async fn fault(call: &'static str, answer: Response<Incoming>) -> Error {
    let bytes = timeout(limits::CALL.time, read(call, answer, limits::MESSAGE)).await;
    let Ok(Ok(bytes)) = bytes else { return Error::Nonsense { call } };
    match serde_json::from_slice::<Fault>(&bytes) {
        Ok(fault) => fault.into(),
        Err(_) => Error::Nonsense { call },
    }
}
