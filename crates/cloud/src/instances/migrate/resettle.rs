//! Moves an instance to another member with what it does: one that runs, runs there.

use std::{sync::Arc, time::Duration};

use wire::{
    InstancePost, InstanceStatePut, StateAction, endpoints::instances::InstanceStateSet,
    query::ProjectQuery,
};

use super::{Depart, Moving, to_member};
use crate::{
    Caller, Error, Result, World,
    cluster::{self, CALLER, Place},
    expand,
    instances::{
        backups::Of,
        guests::{Guest, Phase},
        options::Typed,
        start::{self, Memory},
        stop,
    },
};

/// Moves it. A machine that may go with its memory does so if `live`; all else is stopped first, and started there.
/// What was stopped and then cannot go is started here again.
pub(crate) async fn resettle(
    world: &Arc<World>,
    caller: &Caller,
    (project, name): (&str, &str),
    place: &Place,
    live: bool,
) -> Result<()> {
    let guest = world.guests.get(project, name).filter(|guest| guest.phase() != Phase::Gone);
    let Some(guest) = guest else { return go(world, caller, (project, name), place).await };
    if live && may_go_live(world, project, name) {
        return go(world, caller, (project, name), place).await;
    }
    stop_cleanly(world, &guest).await?;
    if let Err(error) = go(world, caller, (project, name), place).await {
        let started = start::start(world, caller, project, name, Memory::Used).await;
        if let Err(error) = started {
            tracing::error!(project, name, error = %tasks::chain(&error), "it was to run on here");
        }
        return Err(error);
    }
    start_there(world, (project, name), place).await
}

fn may_go_live(world: &World, project: &str, name: &str) -> bool {
    let row = world.store.read(|db| crate::instances::find(db, project, name));
    row.is_ok_and(|row| {
        Depart::to_member(world, &Of::new(project, name), Moving::new(row.id)).is_ok()
    })
}

/// Stops it as the host's shutdown does: asked first, and killed after `boot.host_shutdown_timeout`.
pub(crate) async fn stop_cleanly(world: &World, guest: &Guest) -> Result<()> {
    let typed = world.store.read(|db| {
        let row = crate::instances::find(db, guest.project(), guest.name())?;
        Typed::parse(&expand::expand(db, &row)?)
    })?;
    let timeout = Duration::from_secs(typed.options.boot.host_shutdown_timeout.into());
    stop::surely(world, guest, timeout).await
}

pub(super) async fn go(
    world: &Arc<World>,
    caller: &Caller,
    of: (&str, &str),
    place: &Place,
) -> Result<()> {
    let moved = to_member(world, caller, of, &InstancePost::default(), &place.name)?;
    moved.result().await.map_err(Error::failed)
}

pub(crate) async fn start_there(
    world: &World,
    (project, name): (&str, &str),
    place: &Place,
) -> Result<()> {
    let client = cluster::client(world, place)?;
    let (action, timeout) = (StateAction::Start, 0);
    let put = InstanceStatePut { action, timeout, force: false, stateful: false };
    let query = ProjectQuery { project: Some(project.to_owned()) };
    let request = client.request::<InstanceStateSet>(&[name]).query(&query)?.body(&put)?;
    let begun = request.header(CALLER, cluster::itself()).send().await?.reply;
    Ok(client.wait(&begun).await.map(drop)?)
}
