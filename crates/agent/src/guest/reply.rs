//! Answers, and why there is none.

use std::io;

use http_body_util::{BodyExt, Limited};
use hyper::{Request, Response, StatusCode, body::Incoming};
use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::{body::Body, limits, words::Fault};

/// Why a request is refused.
#[derive(Debug)]
pub(super) enum Refusal {
    /// No such thing: for the daemon, an agent that cannot do it.
    Unknown,
    /// It was tried.
    Failed(Fault),
}

pub(super) type Reply = Result<Response<Body>, Refusal>;

impl Refusal {
    pub(super) fn at(operation: &str, object: impl Into<String>, error: &io::Error) -> Refusal {
        Refusal::Failed(Fault::new(operation, object, error))
    }

    pub(super) fn response(self) -> Response<Body> {
        match self {
            Refusal::Unknown => with(StatusCode::NOT_FOUND, Body::empty()),
            Refusal::Failed(fault) => {
                let text = serde_json::to_vec(&fault).unwrap_or_default();
                with(StatusCode::INTERNAL_SERVER_ERROR, Body::Whole(text.into()))
            }
        }
    }
}

/// Reads a message.
pub(super) async fn read<T: DeserializeOwned>(request: Request<Incoming>) -> Result<T, Refusal> {
    let unreadable = |error: &dyn std::fmt::Display| {
        let error = io::Error::new(io::ErrorKind::InvalidData, error.to_string());
        Refusal::at("read", "request", &error)
    };
    let body = Limited::new(request.into_body(), limits::MESSAGE).collect().await;
    let body = body.map_err(|error| unreadable(&error))?;
    serde_json::from_slice(&body.to_bytes()).map_err(|error| unreadable(&error))
}

/// Gives all of a request's body to what takes it, and closes that at its end; or until it takes no more.
pub(super) async fn pour(request: Request<Incoming>, mut to: impl AsyncWrite + Unpin) -> Reply {
    let mut body = request.into_body();
    while let Some(Ok(frame)) = body.frame().await {
        let Ok(bytes) = frame.into_data() else { continue };
        if to.write_all(&bytes).await.is_err() {
            break;
        }
    }
    done()
}

pub(super) fn json<T: Serialize>(message: &T) -> Reply {
    let text = serde_json::to_vec(message);
    let failed = |error| Refusal::at("write", "answer", &io::Error::from(error));
    text.map(|text| with(StatusCode::OK, Body::Whole(text.into()))).map_err(failed)
}

pub(super) fn done() -> Reply {
    Ok(with(StatusCode::OK, Body::empty()))
}

pub(super) fn stream(body: Body) -> Reply {
    Ok(with(StatusCode::OK, body))
}

fn with(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

/// Work that blocks, on a thread of its own.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let broken = |_| Refusal::at("do", "work", &io::Error::other("it panicked"));
    tokio::task::spawn_blocking(work).await.map_err(broken)?
}
