//! Stops an instance: by asking it, or by force.

use std::{sync::Arc, time::Duration};

use tasks::{Operation, Request};

use super::{
    guests::{After, Guest, Phase},
    machine::{self, trouble::Trouble},
    start::Memory,
};
use crate::{Caller, Error, Result, World, blocking::blocking, expand, networks::ports, url};

/// How to stop.
#[derive(Clone, Copy, Debug)]
pub struct How {
    /// Kill it at once.
    pub force: bool,
    /// How long it may take; `None`: as long as it takes.
    pub timeout: Option<Duration>,
    /// Start it again afterwards.
    pub again: bool,
}

/// Stops an instance. Nothing is claimed meanwhile, so that a stop by force can always follow one
/// that takes too long.
pub async fn stop(
    world: &Arc<World>,
    caller: &Caller,
    project: &str,
    name: &str,
    how: How,
) -> Result<Operation> {
    let guest = super::guest(world, project, name)?;
    let words = if how.again { "Restarting instance" } else { "Stopping instance" };
    let request = Request::new(words)
        .project(project)
        .resource("instances", url::instance(project, name))
        .requestor(caller.requestor.clone())
        .uncancellable();
    let (world, caller) = (world.clone(), caller.clone());
    let operations = world.operations.clone();
    Ok(operations.spawn(request, async move |_| finish(&world, &caller, guest, how).await)?)
}

async fn finish(world: &World, caller: &Caller, guest: Guest, how: How) -> Result<()> {
    guest.set_after(if how.again { After::Running } else { After::Stopped });
    let ended = end(world, &guest, how).await;
    if ended.is_err() {
        guest.set_after(After::Unsaid);
    }
    ended?;
    if how.again { start_again(world, caller, &guest).await } else { Ok(()) }
}

/// Ends a guest and waits until all that follows is done.
pub(crate) async fn end(world: &World, guest: &Guest, how: How) -> Result<()> {
    // A kernel that panicked does not hear.
    if how.force || guest.trouble() == Some(Trouble::Panicked) {
        return kill(world, guest).await;
    }
    ask(guest).await?;
    if within(how.timeout, guest.gone()).await {
        return Ok(());
    }
    let seconds = how.timeout.unwrap_or_default().as_secs();
    Err(Error::Timeout { name: guest.name().to_owned(), seconds })
}

/// How long what follows a kill may take.
const KILLED: Duration = Duration::from_secs(30);

/// Stops a guest: asks it, then kills it.
pub(crate) async fn surely(world: &World, guest: &Guest, timeout: Duration) -> Result<()> {
    let (project, name) = (guest.project(), guest.name());
    let asked = How { force: false, timeout: Some(timeout), again: false };
    guest.set_after_unsaid(After::Stopped);
    if guest.phase() != Phase::Starting {
        match end(world, guest, asked).await {
            Ok(()) => return Ok(()),
            Err(error) => {
                tracing::warn!(project, name, error = %tasks::chain(&error), "it is killed")
            }
        }
    }
    // One that ends just now cannot be killed any more: its end is waited for all the same.
    if let Err(error) = end(world, guest, How { force: true, ..asked }).await {
        tracing::debug!(project, name, error = %tasks::chain(&error), "kill");
    }
    match within(Some(KILLED), guest.gone()).await {
        true => Ok(()),
        false => Err(Error::Timeout { name: name.to_owned(), seconds: KILLED.as_secs() }),
    }
}

/// Kills it. The kernel takes tens of milliseconds to end its processes and as many to remove a link:
/// both go on at once. What goes wrong with the links comes up again when all is cleared.
async fn kill(world: &World, guest: &Guest) -> Result<()> {
    // Somebody else who kills it removes them.
    let removal = guest.ports().try_lock().ok();
    let killed = guest.clone();
    blocking("kill instance", move || killed.monitor().kill()).await?;
    let unplugged = async {
        if removal.is_none() {
            return;
        }
        let removed = unplug(world, guest).await;
        drop(removal);
        if let Err(error) = removed {
            tracing::debug!(name = guest.name(), error = %tasks::chain(&error), "remove links");
        }
    };
    tokio::join!(unplugged, guest.gone());
    Ok(())
}

async fn unplug(world: &World, guest: &Guest) -> Result<()> {
    let (project, name) = (guest.project(), guest.name());
    let expanded = world.store.read(|db| expand::expand(db, &super::find(db, project, name)?))?;
    ports::detach(world, project, name, &expanded).await
}

/// Asks its init to shut down; a frozen one could not hear it.
async fn ask(guest: &Guest) -> Result<()> {
    if guest.phase() == Phase::Frozen {
        super::freeze::set(guest, false).await?;
    }
    if let Some(qmp) = guest.qmp() {
        qmp.call(vm::Call::new("system_powerdown")).await?;
        return Ok(());
    }
    if guest.spec().machine {
        return Err(machine::silent(guest));
    }
    let (asked, signal) = (guest.clone(), guest.spec().stop_signal);
    blocking("ask instance to stop", move || asked.monitor().signal(signal)).await
}

async fn within(timeout: Option<Duration>, work: impl Future<Output = ()>) -> bool {
    match timeout {
        Some(timeout) => tokio::time::timeout(timeout, work).await.is_ok(),
        None => {
            work.await;
            true
        }
    }
}

/// The second half of a restart.
pub(super) async fn start_again(world: &World, caller: &Caller, old: &Guest) -> Result<()> {
    let (project, name) = (old.project(), old.name());
    if old.after() != After::Running {
        let hint = "another request stopped it while it was to start again";
        return Err(Error::State { name: name.to_owned(), is: "stopped", hint });
    }
    match super::start::start(world, caller, project, name, Memory::Used).await {
        Ok(operation) => operation.result().await.map_err(Error::failed),
        // Somebody else was faster.
        Err(Error::State { is: "running", .. }) => Ok(()),
        Err(error) => Err(error),
    }
}
