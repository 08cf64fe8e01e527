//! Serves connections, and looks after what has to be done while anybody may come.

use std::{sync::Arc, time::Duration};

use cloud::World;
use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tls::{Connection, Stopped};
use tokio::time::{MissedTickBehavior, interval};

use crate::{access::Peer, cors::Front, stores};

/// How long a client may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between looks for stores that nobody uses.
const LOOK: Duration = Duration::from_secs(60);
/// Between looks for what has expired.
const HOUR: Duration = Duration::from_secs(3600);

/// Tidies up until the door is closed.
pub(crate) async fn tidy(world: Arc<World>, mut stopped: Stopped) {
    let (mut look, mut hour) = (interval(LOOK), interval(HOUR));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    hour.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick comes at once.
    hour.tick().await;
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            _ = look.tick() => world.buckets.tidy(&world),
            _ = hour.tick() => {
                let world = world.clone();
                tokio::spawn(async move { stores::expire(&world).await });
            }
        }
    }
}

/// Serves one client until it leaves.
pub(crate) async fn connection(connection: Connection, front: Arc<Front>) {
    let Connection { stream, from, mut stopped } = connection;
    let peer = Peer(from.ip());
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    let answer = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        front.clone().answer(request)
    });
    let mut serving = std::pin::pin!(http.serve_connection(TokioIo::new(stream), answer));
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
