//! What is behind the doors that `core.https_address` and `core.metrics_address` open: the API over TLS, and
//! that part of it which is for monitoring.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo, response::Response};
use cloud::{World, metrics, server::doors::HTTPS_PORT};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tls::{Behind, Connection, Door};

use crate::access::Peer;

/// Clients at a time; more wait. Each program that is executed has several connections.
const MOST: usize = 1024;
/// How long a client may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(30);

/// The door to all of it, closed.
pub fn door(world: Arc<World>) -> Door {
    to(world, HTTPS_PORT, "the API is served", crate::router)
}

/// The door to metrics alone, closed.
pub fn metrics_door(world: Arc<World>) -> Door {
    to(world, metrics::PORT, "metrics are served", crate::metrics_router)
}

fn to(world: Arc<World>, port: u16, words: &'static str, router: fn(Arc<World>) -> Router) -> Door {
    Door::new(port, MOST, move |address, _| {
        let all = world.identity().map_err(io::Error::other)?;
        let own = world.own_identity().map_err(io::Error::other)?;
        let acceptor = tls::member_acceptor(&all, &own)?;
        let router = router(world.clone());
        tracing::info!(%address, "{words}");
        let serve = Arc::new(move |one| Box::pin(connection(one, router.clone())) as _);
        Ok(Behind { acceptor, serve })
    })
}

/// Serves one client until it leaves.
async fn connection(connection: Connection, router: Router) {
    let Connection { stream, from, mut stopped } = connection;
    let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let peer = Peer::network(from, shown.map(|certificate| certificate.to_vec()));
    let router = TowerToHyperService::new(router);
    let answer = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer.clone()));
        let answered = hyper::service::Service::call(&router, request.map(Body::new));
        async move { Ok::<Response, Infallible>(answered.await.unwrap_or_else(|never| match never {})) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    let serving = http.serve_connection(TokioIo::new(stream), answer).with_upgrades();
    let mut serving = std::pin::pin!(serving);
    let done = tokio::select! {
        done = &mut serving => done,
        _ = stopped.changed() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = done {
        tracing::debug!(%error, "a connection broke off");
    }
}
