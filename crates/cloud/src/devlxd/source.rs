//! Where connections come from, and that no instance has more of them than it may.

use std::{sync::Arc, time::Duration};

use agent::{Agent, Visitor};
use tokio::{
    net::{UnixListener, UnixStream},
    sync::{Semaphore, watch},
};

use super::{Connection, Desk, Seat};
use crate::instances::guests::Guest;

/// Connections of one instance at a time; more wait in the kernel, where its own backlog is its limit.
const MOST_OF_ONE: usize = 8;
/// Before a connection is taken again that could not be.
const PAUSE: Duration = Duration::from_millis(100);
/// What a connection costs of an instance's time.
const COST: Duration = Duration::from_millis(5);

/// What the connections of an instance come by.
pub(super) enum Source {
    /// The socket that a container sees.
    Socket(UnixListener),
    /// The agent of a virtual machine.
    Agent(Agent),
}

/// One that came, and what has to be done for it beside.
enum Arrival {
    Stream(UnixStream),
    Visitor(Visitor),
}

impl Source {
    /// The next one; `None` when there will be no more.
    async fn next(&self) -> Option<Arrival> {
        match self {
            Source::Socket(listener) => loop {
                match listener.accept().await {
                    Ok((stream, _)) => return Some(Arrival::Stream(stream)),
                    Err(_) => tokio::time::sleep(PAUSE).await,
                }
            },
            // One that is older, cannot or is gone has none.
            Source::Agent(agent) => Some(Arrival::Visitor(agent.visitor().await.ok()?)),
        }
    }
}

/// Takes connections until the guest is gone, or may ask nothing any more.
pub(super) fn take(desk: &Desk, guest: &Guest, source: Source) {
    let mut open = guest.devlxd().opened();
    let (desk, guest, handed) = (desk.clone(), guest.clone(), open.clone());
    tokio::spawn(async move {
        tokio::select! {
            () = arrivals(&desk, &guest, &source, &handed) => {}
            () = closed(&mut open) => {}
        }
    });
}

async fn arrivals(desk: &Desk, guest: &Guest, source: &Source, open: &watch::Receiver<()>) {
    let own = Arc::new(Semaphore::new(MOST_OF_ONE));
    loop {
        // One who asks too much is asked to wait, not sent away.
        while !guest.devlxd().turn(COST).await {
            tokio::time::sleep(PAUSE).await;
        }
        // Neither is ever closed.
        let (Ok(seat), Some(arrival)) = (own.clone().acquire_owned().await, source.next().await)
        else {
            return;
        };
        let Ok(common) = desk.seats.clone().acquire_owned().await else { return };
        begin(desk, guest, arrival, Seat(Arc::new([seat, common])), open.clone());
    }
}

fn begin(desk: &Desk, guest: &Guest, arrival: Arrival, seat: Seat, open: watch::Receiver<()>) {
    let guest = guest.clone();
    let stream = match arrival {
        Arrival::Stream(stream) => stream,
        Arrival::Visitor(visitor) => {
            let (stream, carry) = visitor.into_parts();
            let seat = seat.clone();
            tokio::spawn(async move {
                carry.await;
                drop(seat);
            });
            stream
        }
    };
    tokio::spawn((desk.serve)(Connection { guest, stream, open, seat }));
}

/// Waits until the sender is gone.
async fn closed(open: &mut watch::Receiver<()>) {
    while open.changed().await.is_ok() {}
}
