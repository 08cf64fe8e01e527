//! Holds an instance still while its files are read, beneath what clients see: to them it runs on.

use std::sync::Arc;

use runtime::{Monitor, State};

use super::guests::Phase;
use crate::{Error, Result, World, blocking::blocking, copies::Held, names};

/// Pauses an instance that runs.
pub(crate) async fn pause(world: &World, project: &str, name: &str) -> Result<()> {
    match world.guests.get(project, name) {
        Some(guest) if guest.phase() == Phase::Running => {
            let frozen = blocking("pause instance", move || guest.monitor().freeze(true));
            unless_gone(frozen.await)
        }
        _ => Ok(()),
    }
}

/// Lets it go on, unless a client paused it meanwhile. After a crash no guest is held yet.
pub(crate) async fn go_on(world: &World, project: &str, name: &str) -> Result<()> {
    let guest = world.guests.get(project, name);
    if guest.is_some_and(|guest| guest.phase() == Phase::Frozen) {
        return Ok(());
    }
    let run = world.dirs.run(&names::instance_id(project, name));
    let thawed = blocking("resume instance", move || match Monitor::connect(&run)? {
        Some(monitor) if matches!(monitor.info()?.state, State::Frozen) => monitor.freeze(false),
        _ => Ok(()),
    });
    unless_gone(thawed.await)
}

/// Pauses those that run: project and name.
pub(crate) async fn all(world: &World, instances: &[(String, String)]) -> Result<()> {
    for (project, name) in instances {
        pause(world, project, name).await?;
    }
    Ok(())
}

/// Lets them go on. One that cannot must not hold the others.
pub(crate) async fn all_go_on(world: &World, instances: &[(String, String)]) -> Result<()> {
    let mut done = Ok(());
    for (project, name) in instances {
        done = done.and(go_on(world, project, name).await);
    }
    done
}

/// Lets instances go on once what is copied of them is held, and need not wait for the whole copy.
pub(crate) fn until_held(world: &Arc<World>, instances: Vec<(String, String)>) -> Held {
    let (world, runtime) = (world.clone(), tokio::runtime::Handle::current());
    Arc::new(move || {
        if let Err(error) = runtime.block_on(all_go_on(&world, &instances)) {
            // The step that follows tries it again, and says what is wrong.
            tracing::warn!(error = %tasks::chain(&error), "cannot let go on what is being copied");
        }
    })
}

/// One that ended meanwhile needs neither.
fn unless_gone(done: Result<()>) -> Result<()> {
    match done {
        Err(Error::Runtime(runtime::Error::Gone)) => Ok(()),
        other => other,
    }
}
