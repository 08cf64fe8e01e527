//! The guest API: what an instance may ask of the server, on `/dev/lxd/sock` inside of it.
//!
//! ```text
//! start of a container ─> folder devlxd/<id>, bound read-only at /dev/lxd ─> listen: its own socket in it
//!    another daemon    ─> listen anew, in the same folder: who runs sees the new socket
//!    security.devlxd=false, or its end ─> hush: no socket, and no connection that was
//! ```
//! Of a virtual machine the agent listens, and carries what comes to it here ([`agent::Visitor`]).
//!
//! Who asks is known by the socket it came over, never by what a process says or is: there is one for each
//! instance, in a folder that no other one sees. What is said there is the door's business (`api`).

mod guest;
mod news;
mod place;
mod source;
mod verbs;

use std::sync::Arc;

use agent::Agent;
use futures_util::future::BoxFuture;
use tokio::{
    net::UnixStream,
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};

pub use self::{
    guest::{GuestSide, News},
    verbs::{About, about, config, devices, image, key, meta_data, set_state},
};
pub(crate) use self::{
    news::changed,
    place::{folder, is_mounted, mount, remove},
    verbs::READY,
};
use crate::{
    Result, World, db::instances::Instance, expand, instances::guests::Guest,
    instances::options::Typed,
};

/// Connections of all instances at a time; more wait in the kernel.
const MOST: usize = 256;

/// One connection of an instance.
pub struct Connection {
    /// Who it is from.
    pub guest: Guest,
    /// The bytes.
    pub stream: UnixStream,
    /// Its sender is gone once the instance may ask nothing any more.
    pub open: watch::Receiver<()>,
    /// Kept as long as the connection is, whatever becomes of it.
    pub seat: Seat,
}

/// One of the connections that an instance may have, and all together.
#[derive(Clone)]
pub struct Seat(
    #[expect(dead_code, reason = "it is given back when it is dropped")]
    Arc<[OwnedSemaphorePermit; 2]>,
);

/// Serves one connection until it is over.
pub type Serve = Arc<dyn Fn(Connection) -> BoxFuture<'static, ()> + Send + Sync>;

/// What is behind the sockets of all instances.
#[derive(Clone)]
pub(crate) struct Desk {
    serve: Serve,
    seats: Arc<Semaphore>,
}

impl Desk {
    pub(crate) fn new(serve: Serve) -> Desk {
        Desk { serve, seats: Arc::new(Semaphore::new(MOST)) }
    }
}

/// Lets a guest that runs ask, or not, as its options say now. A container that was started without stays
/// without until its next start.
pub(crate) fn apply(world: &World, guest: &Guest, wanted: bool) {
    let side = guest.devlxd();
    side.allow(wanted);
    if guest.spec().machine {
        return apply_to_machine(world, guest, wanted);
    }
    if !wanted {
        side.hush();
        // It is only a name: nobody listens there any more.
        place::unlink(world, guest);
    } else if is_mounted(guest) && !side.listens() {
        place::listen(world, guest);
    }
}

fn apply_to_machine(world: &World, guest: &Guest, wanted: bool) {
    let Some(agent) = guest.agent() else { return };
    if wanted && !guest.devlxd().listens() {
        listen_by(world.desk(), guest, &agent);
    } else if !wanted && guest.devlxd().listens() {
        guest.devlxd().hush();
        // One that does not hear it has a socket that nobody answers.
        tokio::spawn(async move { drop(agent.turn_away().await) });
    }
}

/// Takes those who come to the agent of a virtual machine, if they may.
pub(crate) fn listen_by(desk: Option<&Desk>, guest: &Guest, agent: &Agent) {
    if let (Some(desk), true) = (desk, guest.devlxd().is_allowed()) {
        source::take(desk, guest, source::Source::Agent(agent.clone()));
    }
}

/// The same for a guest that an earlier daemon left.
pub(crate) fn find_again(world: &World, guest: &Guest, row: &Instance) -> Result<()> {
    guest.devlxd().set_ready(row.config.get(READY) == Some("true"));
    let typed = world.store.read(|db| Typed::parse(&expand::expand(db, row)?))?;
    apply(world, guest, typed.options.security.devlxd);
    Ok(())
}
