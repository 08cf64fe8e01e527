//! What monitoring asks for: what each instance used, and what the server does; as OpenMetrics text, under the names
//! that LXD gives them.
//!
//! ```text
//! guests that run ─ container.rs  control group, network namespace, disks ─┐
//!                 └ machine.rs    its agent, or else QEMU and its cards ───┴> text.rs
//! requests.rs  what the API was asked; server.rs  the server itself ───────────┘
//! ```
//! Only instances that run are told of, and those that end meanwhile are left out. A guest cannot hold up the
//! answer: it is given a few seconds. Nothing is kept between two questions.

mod container;
mod filesystems;
mod machine;
mod requests;
mod server;
mod text;

use futures_util::{StreamExt, stream};
use options::{Options, server::ServerOptions};
use runtime::Metrics;

pub use self::requests::{Outcome, Requests};
use self::text::Text;
use crate::{
    Caller, Result, World,
    access::Rights,
    db::{instances as rows, server as server_rows},
    expand::{self, Expanded},
    instances::guests::{Guest, Phase},
};

/// Instances that are looked at together: each costs a few reads, and a thread for its network.
const TOGETHER: usize = 8;

/// The port of `core.metrics_address` when it names none.
pub const PORT: u16 = 9100;

/// Whether whoever asks must be known.
pub fn are_private(world: &World) -> Result<bool> {
    world
        .store
        .read(|db| Ok(ServerOptions::parse_known(&server_rows::get(db)?)?.metrics_authentication))
}

/// The text. Of one project, if it is named; of those that the caller is held to, if it is: then nothing of the
/// server.
pub async fn get(world: &World, caller: &Caller, project: Option<&str>) -> Result<String> {
    let project = project.filter(|name| !name.is_empty());
    if let Some(name) = project {
        world.store.read(|db| crate::projects::find(db, name))?;
    }
    let own = |of: &str| match &caller.rights {
        Rights::Projects(names) => names.iter().any(|name| name == of),
        _ => true,
    };
    let seen = |of: &str| own(of) && project.is_none_or(|name| name == of);
    let mut text = Text::default();
    let runs = |guest: &Guest| matches!(guest.phase(), Phase::Running | Phase::Frozen);
    let mut guests = world.guests.all();
    guests.retain(|guest| seen(guest.project()) && runs(guest));
    guests.sort_by(|a, b| (a.project(), a.name()).cmp(&(b.project(), b.name())));
    let looked =
        stream::iter(guests.clone()).map(|guest| async move { of_guest(world, &guest).await });
    let found: Vec<_> = looked.buffered(TOGETHER).collect().await;
    for (guest, metrics) in guests.iter().zip(found) {
        if let Some(metrics) = metrics {
            text.instance(guest, &metrics);
        }
    }
    server::count_instances(world, &mut text, seen)?;
    if !matches!(caller.rights, Rights::Projects(_)) && project.is_none() {
        server::tell(world, &mut text)?;
    }
    Ok(text.finish())
}

/// Nothing of one that is just ending.
async fn of_guest(world: &World, guest: &Guest) -> Option<Metrics> {
    let found = match look(world, guest) {
        Ok(Some(expanded)) if guest.spec().machine => machine::get(world, guest, &expanded).await,
        Ok(Some(expanded)) => container::get(world, guest, &expanded).await,
        Ok(None) => return None,
        Err(error) => Err(error),
    };
    found
        .inspect_err(|error| {
            let (project, name) = (guest.project(), guest.name());
            tracing::debug!(project, name, error = %tasks::chain(error), "metrics");
        })
        .ok()
}

fn look(world: &World, guest: &Guest) -> Result<Option<Expanded>> {
    world.store.read(|db| {
        let row = rows::get(db, guest.project(), guest.name())?;
        row.map(|row| expand::expand(db, &row)).transpose()
    })
}

/// What went over an interface.
fn traffic(of: &wire::InstanceStateNetworkCounters) -> runtime::Traffic {
    runtime::Traffic {
        received_bytes: of.bytes_received,
        received_packets: of.packets_received,
        received_errors: of.errors_received,
        received_dropped: of.packets_dropped_inbound,
        sent_bytes: of.bytes_sent,
        sent_packets: of.packets_sent,
        sent_errors: of.errors_sent,
        sent_dropped: of.packets_dropped_outbound,
    }
}
