//! Takes connections and serves them.

use std::{sync::Arc, time::Duration};

use cloud::World;
use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use crate::{access::Peer, cors::Front, stores};

/// Connections at a time; more wait.
const MOST: usize = 256;
/// How long a client may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between looks for stores that nobody uses.
const LOOK: Duration = Duration::from_secs(60);

/// Between looks for what has expired.
const HOUR: Duration = Duration::from_secs(3600);

/// Takes connections until the sender of `stopped` is gone; then the listener is closed.
pub(crate) async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    front: Arc<Front>,
    world: Arc<World>,
    mut stopped: watch::Receiver<()>,
) {
    let room = Arc::new(Semaphore::new(MOST));
    let (mut look, mut hour) = (interval(LOOK), interval(HOUR));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    hour.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick comes at once.
    hour.tick().await;
    loop {
        let next = async {
            let permit = room.clone().acquire_owned().await;
            (listener.accept().await, permit)
        };
        tokio::select! {
            _ = stopped.changed() => return,
            _ = look.tick() => world.buckets.tidy(&world),
            _ = hour.tick() => {
                let world = world.clone();
                tokio::spawn(async move { stores::expire(&world).await });
            }
            (taken, permit) = next => match (taken, permit) {
                (Ok((stream, from)), Ok(permit)) => {
                    let (acceptor, front) = (acceptor.clone(), front.clone());
                    tokio::spawn(connection((stream, Peer(from.ip())), acceptor, front, permit, stopped.clone()));
                }
                (Err(error), _) => {
                    // Mostly too many open files: they go with connections that end.
                    tracing::warn!(%error, "cannot take a connection");
                    sleep(Duration::from_millis(100)).await;
                }
                (_, Err(_)) => return,
            }
        }
    }
}

async fn connection(
    (stream, peer): (TcpStream, Peer),
    acceptor: TlsAcceptor,
    front: Arc<Front>,
    _permit: OwnedSemaphorePermit,
    mut stopped: watch::Receiver<()>,
) {
    // Answers are written whole: waiting for more of one only costs time.
    let _ = stream.set_nodelay(true);
    let Ok(Ok(stream)) = timeout(PATIENCE, acceptor.accept(stream)).await else { return };
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
