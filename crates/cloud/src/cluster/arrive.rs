//! A member's start: it waits for the others, and takes its place among them.

use std::time::Duration;

use crate::{
    Error, Result, World,
    db::members::{self as rows, Member, Part},
};

/// How long a start waits for a leader. Without one what is there goes on; nothing is changed.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks for one.
const LOOK: Duration = Duration::from_millis(10);
/// Between two tries to take its place.
const AGAIN: Duration = Duration::from_secs(2);

/// Waits until the members have a leader, if there are others; or until it turns out that this server is none of them
/// any more.
pub async fn await_leader(world: &World) {
    if !world.is_clustered() {
        return;
    }
    let led = async {
        while world.store.status().leader.is_none() {
            tokio::time::sleep(LOOK).await;
        }
    };
    let either = async {
        tokio::select! {
            () = led => {}
            () = world.cluster.removal() => {}
        }
    };
    if tokio::time::timeout(PATIENCE, either).await.is_err() {
        tracing::warn!(
            "too few of the other members are there: nothing can be changed until they are, but what is here starts and stops"
        );
    }
}

/// Says that this member has begun, once: from then on it may get a vote and instances.
pub async fn arrive(world: &World) {
    while let Err(error) = begun(world).await {
        tracing::debug!(error = %tasks::chain(&error), "cannot say yet that this member has begun");
        tokio::time::sleep(AGAIN).await;
    }
}

async fn begun(world: &World) -> Result<()> {
    let joins = |row: &Member| row.part == Part::Joining;
    let found = world.store.read(|db| Ok::<_, Error>(rows::by_id(db, db.me())?))?;
    if !found.as_ref().is_some_and(joins) {
        return Ok(());
    }
    world
        .store
        .write(|db| match rows::by_id(db, db.me())?.filter(joins) {
            Some(row) => Ok::<_, Error>(rows::update(db, &Member { part: Part::Ready, ..row })?),
            None => Ok(()),
        })
        .await
}
