//! The guest API, `/dev/lxd/sock`: HTTP for what runs in an instance, one file a resource.
//!
//! ```text
//! a connection of an instance ─> pace ─> time limit ─> handler: the guest is in the request, put there by the
//!                                                      socket it came over ─> JSON or plain text, no envelope
//! ```
//! Whoever asks is hostile until proven otherwise: heads, bodies, times, connections and their pace have limits.
//! An instance uses up its own places and nobody else's.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    body::Body,
    extract::Request,
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::get,
};
use cloud::{
    World,
    devlxd::{Connection, Serve},
    instances::guests::Guest,
};
use http::{Method, StatusCode};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::time::timeout;

mod config;
mod devices;
mod events;
mod images;
mod info;
mod meta_data;

/// How long a guest may take to say what it wants, and may say nothing between two requests.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an answer may take, and how long its reading.
const ANSWER: Duration = Duration::from_secs(30);
/// Bytes of a request's head.
const HEAD: usize = 16 << 10;
/// What a question costs of an instance's time, and what a change: that many a second, in the long run.
const QUESTION: Duration = Duration::from_millis(5);
const CHANGE: Duration = Duration::from_secs(1);

/// What answers the instances.
pub fn desk(world: Arc<World>) -> Serve {
    let router = router(world);
    Arc::new(move |one| Box::pin(connection(one, router.clone())) as _)
}

fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/", get(info::versions))
        .route("/1.0", get(info::about).patch(info::change))
        .route("/1.0/config", get(config::list))
        .route("/1.0/config/{key}", get(config::one))
        .route("/1.0/devices", get(devices::all))
        .route("/1.0/meta-data", get(meta_data::text))
        .layer(from_fn(in_time))
        .route("/1.0/events", get(events::listen))
        .route("/1.0/images/{fingerprint}/export", get(images::export))
        .method_not_allowed_fallback(async || Refused::METHOD)
        .fallback(async || Refused::NOTHING)
        .layer(from_fn(paced))
        .with_state(world)
}

/// Serves one connection until it is over, or the instance may ask nothing any more.
async fn connection(connection: Connection, router: Router) {
    let Connection { guest, stream, mut open, seat } = connection;
    let router = TowerToHyperService::new(router);
    let until = open.clone();
    let answer = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(guest.clone());
        request.extensions_mut().insert(until.clone());
        request.extensions_mut().insert(seat.clone());
        let answered = hyper::service::Service::call(&router, request.map(Body::new));
        async move { Ok::<Response, Infallible>(answered.await.unwrap_or_else(|never| match never {})) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(HEAD);
    let serving = http.serve_connection(TokioIo::new(stream), answer).with_upgrades();
    tokio::select! {
        done = serving => if let Err(error) = done {
            tracing::debug!(%error, "a connection of an instance broke off");
        },
        () = closed(&mut open) => {}
    }
}

/// Waits until the instance may ask nothing any more.
async fn closed(open: &mut tokio::sync::watch::Receiver<()>) {
    while open.changed().await.is_ok() {}
}

/// Lets each instance ask so fast and no faster.
async fn paced(Extension(guest): Extension<Guest>, request: Request, next: Next) -> Response {
    let cost = if request.method() == Method::GET { QUESTION } else { CHANGE };
    match guest.devlxd().turn(cost).await {
        true => next.run(request).await,
        false => Refused::TOO_MANY.into_response(),
    }
}

/// Gives up on what takes too long, such as a body that comes byte by byte.
async fn in_time(request: Request, next: Next) -> Response {
    match timeout(ANSWER, next.run(request)).await {
        Ok(answer) => answer,
        Err(_) => Refused::TOO_SLOW.into_response(),
    }
}

/// A refusal, in plain text as LXD's.
pub(crate) struct Refused(StatusCode, &'static str);

impl Refused {
    const FORBIDDEN: Refused = Refused(StatusCode::FORBIDDEN, "not authorized");
    const NOTHING: Refused = Refused(StatusCode::NOT_FOUND, "not found");
    const METHOD: Refused = Refused(StatusCode::METHOD_NOT_ALLOWED, "method not allowed");
    const TOO_MANY: Refused = Refused(StatusCode::TOO_MANY_REQUESTS, "too many requests");
    const TOO_SLOW: Refused = Refused(StatusCode::REQUEST_TIMEOUT, "too slow");
    const BROKEN: Refused = Refused(StatusCode::INTERNAL_SERVER_ERROR, "internal error");

    pub(crate) const fn bad(why: &'static str) -> Refused {
        Refused(StatusCode::BAD_REQUEST, why)
    }
}

impl From<cloud::Error> for Refused {
    /// What the matter is with the server is not for its guests.
    fn from(error: cloud::Error) -> Refused {
        match error {
            cloud::Error::Forbidden => Refused::FORBIDDEN,
            cloud::Error::NotFound { .. } => Refused::NOTHING,
            other => {
                tracing::error!(error = %tasks::chain(&other), "guest API");
                Refused::BROKEN
            }
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, format!("{}\n", self.1)).into_response()
    }
}
