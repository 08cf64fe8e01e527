//! Whether this server is still a member. One that was removed while it could not be told is told when it is back: it
//! then answers every request with that, and does nothing else, until it is let go as an empty server.
//!
//! ```text
//! start, or no word of the others' databases ──> the others are asked ──> one of them says, with a majority: none
//!                                                                             └─> removed ── cluster leave ──> alone
//! ```

use std::{sync::Arc, time::Duration};

use store::MemberId;
use tasks::{Operation, Request};
use wire::{Standing, endpoints::cluster::ClusterStanding, query::StandingQuery};

use super::{clustered, leave::left, links::Place};
use crate::{Caller, Error, Result, World, db::members as rows};

/// Between two looks whether others speak to this member.
const LOOK: Duration = Duration::from_secs(2);
/// Nobody has spoken to it for so long: it asks.
const ALONE: Duration = Duration::from_secs(5);
/// For a member to answer, which asks the leader first.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether there is a member of that number, as a majority has it.
pub async fn standing(world: &World, id: MemberId) -> Result<Standing> {
    clustered(world)?;
    let found = world.store.read_latest(|db| Ok::<_, Error>(rows::by_id(db, id)?.is_some()));
    Ok(Standing { cluster: world.store.status().cluster.to_string(), member: found.await? })
}

/// Asks the others at the start, so that they know that this member is there; and again whenever nobody speaks to it.
pub async fn watch_standing(world: Arc<World>) {
    let mut told = false;
    while !world.cluster.is_removed() {
        if world.is_clustered() && (!told || !is_spoken_to(&world)) {
            told = true;
            if is_none_any_more(&world).await {
                stand_aside(&world);
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether there is a leader, and the others' databases speak to this one.
pub(super) fn is_spoken_to(world: &World) -> bool {
    let spoke = world.cluster.links.last_spoke();
    world.store.status().leader.is_some() && spoke.is_some_and(|at| at.elapsed() < ALONE)
}

async fn is_none_any_more(world: &World) -> bool {
    let links = &world.cluster.links;
    // Those that are silent, too: a cable may be back.
    let asked = links.others().into_iter().map(async |place| ask(world, &place).await.ok());
    let answers = futures_util::future::join_all(asked).await;
    let own = world.store.status().cluster.to_string();
    answers.into_iter().flatten().any(|said| said.cluster == own && !said.member)
}

async fn ask(world: &World, place: &Place) -> Result<Standing> {
    let client = super::client(world, place)?;
    let query = StandingQuery { member: world.store.status().me };
    let asked = client.get::<ClusterStanding>(&[], &query);
    let late = |_| Error::Silent { member: place.name.clone() };
    let said = tokio::time::timeout(PATIENCE, asked).await.map_err(late)??;
    world.cluster.links.heard(place.id);
    Ok(said)
}

fn stand_aside(world: &World) {
    tracing::error!("{}", Error::Removed);
    // Nobody answers it, and each try is a write to the disk.
    world.store.rest();
    world.cluster.set_removed();
}

/// Lets a server go that was removed: it begins anew, alone and empty. What its pools hold stays.
pub fn let_go(world: &Arc<World>, caller: &Caller) -> Result<Operation> {
    if !world.cluster.is_removed() {
        let why = "a member is removed with: microcloud cluster remove NAME";
        return Err(Error::invalid("enabled", why));
    }
    let request = Request::new("Leaving cluster")
        .resource("cluster", "/1.0/cluster")
        .requestor(caller.requestor.clone())
        .uncancellable()
        .lock("cluster");
    let of_it = world.clone();
    Ok(world.operations.spawn(request, async move |_| left(&of_it))?)
}
