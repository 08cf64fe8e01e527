//! What follows when an instance stops, however it came to that.
//!
//! ```text
//! follow (one small task a guest) ── monitor says Stopped(reason), or is gone
//!    └─ settle: remove ports, root, leftovers; note it as stopped, unless it stopped with the machine;
//!         │  tell; forget the guest
//!         ├─ it rebooted by itself: start it again; a restart that was asked for does so itself
//!         └─ it is ephemeral: delete it
//! ```

use std::{os::fd::AsFd, sync::Arc};

use runtime::{Event, ExitReason};
use tokio::sync::mpsc;

use super::{
    boot,
    guests::{After, Guest},
    machine::trouble,
    options::Typed,
    power::{self, Power},
    start::Memory,
};
use crate::{
    Caller, Error, Result, World,
    db::instances::{self as rows, Instance},
    expand::{self, Expanded},
    networks::ports,
    url,
    volumes::attach,
    watched::watched,
};

/// Follows every guest that arrives until it has ended; runs as long as the daemon.
pub async fn follow(world: Arc<World>, mut started: mpsc::UnboundedReceiver<Guest>) {
    while let Some(guest) = started.recv().await {
        if guest.spec().machine {
            tokio::spawn(trouble::watch(world.clone(), guest.clone()));
        }
        let world = world.clone();
        tokio::spawn(async move {
            let reason = await_end(&guest).await;
            if let Err(error) = settle(&world, &guest, reason).await {
                let (project, name) = (guest.project(), guest.name());
                tracing::error!(project, name, error = %tasks::chain(&error), "after its stop");
                world.guests.end(&guest);
            }
        });
    }
}

/// Waits for the monitor's word; one that went without a word was killed.
pub(super) async fn await_end(guest: &Guest) -> ExitReason {
    let Ok(mut watch) = guest.monitor().watch() else { return ExitReason::Lost };
    let fd = watch.as_fd().try_clone_to_owned().and_then(watched);
    let Ok(fd) = fd else { return ExitReason::Lost };
    loop {
        let Ok(mut ready) = fd.readable().await else { return ExitReason::Lost };
        match watch.next() {
            Ok(Some(Event::Stopped(reason))) => return reason,
            Ok(None) => ready.clear_ready(),
            Err(_) => return ExitReason::Lost,
        }
    }
}

/// Does what follows an exit.
pub(crate) async fn settle(world: &World, guest: &Guest, reason: ExitReason) -> Result<()> {
    let (project, name) = (guest.project(), guest.name());
    let after = guest.after();
    let rebooted = after != After::Running && matches!(reason, ExitReason::Reboot);
    let again = after == After::Running || rebooted;
    tracing::info!(project, name, ?reason, again, "instance stopped");
    let row = world.store.read(|db| {
        let Some(row) = rows::get(db, project, name)? else { return Ok(None) };
        let expanded = expand::expand(db, &row)?;
        Ok::<_, Error>(Some((row, expanded)))
    })?;
    let Some((row, expanded)) = row else {
        return boot::end(world, project, name).await;
    };
    guest.close_gauges();
    let removal = guest.ports().lock().await;
    clear(world, &row, &expanded).await?;
    drop(removal);
    if after == After::Elsewhere || row.member != world.me() {
        world.guests.end(guest);
        return Ok(());
    }
    // What would start again at once, were the machine not about to stop, starts again with it; and what ended with the
    // lease once there is one (`cluster::lease`).
    let unleased = reason == ExitReason::Deadline;
    let returns = after == After::NextBoot || (again && world.closing()) || unleased;
    if !returns {
        note_stopped(world, &row).await?;
    }
    // Without a majority it cannot be deleted: that follows its note, when there is one again.
    if row.ephemeral && !again && !unleased && !world.powers.has(&row) {
        // Whoever waits for the stop finds it gone.
        let deleted = super::delete::unguarded(world, &Caller::default(), project, name).await;
        world.guests.end(guest);
        return deleted;
    }
    world.guests.end(guest);
    let caller = Caller::default();
    let action = if again { "instance-restarted" } else { "instance-shutdown" };
    world.tell(&caller, project, action, url::instance(project, name));
    if rebooted && !world.closing() {
        let operation = super::start::start(world, &caller, project, name, Memory::Used).await?;
        return operation.result().await.map_err(Error::failed);
    }
    // There may be a lease again already, and who got it has still seen this guest.
    if unleased && !world.closing() && world.cluster.has_lease() {
        crate::reconcile::start_or_wait(world, &row).await;
    }
    Ok(())
}

/// Removes what ran; goes on after an error and gives the first.
async fn clear(world: &World, row: &Instance, expanded: &Expanded) -> Result<()> {
    let ended = boot::clean(world, &row.project, &row.name).await;
    let ports = ports::detach(world, &row.project, &row.name, expanded).await;
    let root = boot::detach_root(world, row, expanded).await;
    for device in Typed::parse(expanded)?.devices.values() {
        if let Some(disk) = device.disk() {
            attach::release(world, &row.project, disk).await;
        }
    }
    ended.and(ports).and(root)
}

/// Removes what ran of an instance that another member has; nothing there is Ok.
pub(crate) async fn clear_unseen(world: &World, row: &Instance) -> Result<()> {
    let expanded = world.store.read(|db| expand::expand(db, row))?;
    clear(world, row, &expanded).await
}

/// The same for an exit that happened while no daemon ran.
pub(crate) async fn settle_unseen(world: &World, row: &Instance) -> Result<()> {
    clear_unseen(world, row).await?;
    note_stopped(world, row).await?;
    let source = url::instance(&row.project, &row.name);
    world.tell(&Caller::default(), &row.project, "instance-shutdown", source);
    Ok(())
}

pub(crate) async fn note_stopped(world: &World, old: &Instance) -> Result<()> {
    power::note(world, old, Power::Stopped).await
}
