//! Stops an instance: by asking it, or by force.

use std::{sync::Arc, time::Duration};

use tasks::{Operation, Request};

use super::guests::{Guest, Phase};
use crate::{Caller, Error, Result, World, blocking::blocking, url};

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
    let world = world.clone();
    let operations = world.operations.clone();
    Ok(operations.spawn(request, async move |_| finish(&world, guest, how).await)?)
}

/// Stops a guest and waits until all that follows is done.
pub(crate) async fn finish(world: &World, guest: Guest, how: How) -> Result<()> {
    guest.set_again(how.again);
    if how.force {
        let killed = guest.clone();
        blocking("kill instance", move || killed.monitor().kill()).await?;
        guest.gone().await;
    } else {
        ask(&guest).await?;
        if !within(how.timeout, guest.gone()).await {
            guest.set_again(false);
            let seconds = how.timeout.unwrap_or_default().as_secs();
            return Err(Error::Timeout { name: guest.name().to_owned(), seconds });
        }
    }
    if how.again {
        return started_again(world, &guest).await;
    }
    Ok(())
}

/// Asks its init to shut down; a frozen one could not hear it.
async fn ask(guest: &Guest) -> Result<()> {
    if guest.phase() == Phase::Frozen {
        super::freeze::set(guest, false).await?;
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

/// Waits for the start that follows; see [`super::exit`].
async fn started_again(world: &World, old: &Guest) -> Result<()> {
    const PATIENCE: Duration = Duration::from_secs(60);
    const PAUSE: Duration = Duration::from_millis(5);
    let wait = async {
        loop {
            match world.guests.get(old.project(), old.name()) {
                Some(guest) if guest.phase() == Phase::Running => return,
                _ => tokio::time::sleep(PAUSE).await,
            }
        }
    };
    if within(Some(PATIENCE), wait).await {
        // The rest of the start holds the instance; it is over when that is free.
        let claim = [tasks::Claim::alone(super::lock_name(old.project(), old.name()))];
        drop(world.locks().lock(&claim, "the restart").await);
        return Ok(());
    }
    let hint = "it stopped but did not start again: see the daemon's log";
    Err(Error::State { name: old.name().to_owned(), is: "stopped", hint })
}
