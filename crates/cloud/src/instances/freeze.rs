//! Pauses an instance and lets it go on.

use std::sync::Arc;

use tasks::{Operation, Request};
use vm::Call;

use super::{
    guests::{Guest, Phase},
    machine,
};
use crate::{Caller, Error, Result, World, blocking::blocking, url};

/// Pauses an instance, or lets it go on.
pub async fn freeze(
    world: &Arc<World>,
    caller: &Caller,
    project: &str,
    name: &str,
    frozen: bool,
) -> Result<Operation> {
    let guest = super::guest(world, project, name)?;
    let (is, hint) = match (frozen, guest.phase()) {
        (true, Phase::Frozen) => ("frozen", "there is nothing to pause"),
        (false, Phase::Running) => ("running", "there is nothing to resume"),
        _ => ("", ""),
    };
    if !is.is_empty() {
        return Err(Error::State { name: name.to_owned(), is, hint });
    }
    let (words, action) = match frozen {
        true => ("Freezing instance", "instance-paused"),
        false => ("Unfreezing instance", "instance-resumed"),
    };
    let source = url::instance(project, name);
    let request = Request::new(words)
        .project(project)
        .resource("instances", source.clone())
        .requestor(caller.requestor.clone())
        .uncancellable();
    let (world, caller, project) = (world.clone(), caller.clone(), project.to_owned());
    let operations = world.operations.clone();
    let work = async move |_| {
        set(&guest, frozen).await?;
        world.tell(&caller, &project, action, source);
        Ok::<_, Error>(())
    };
    Ok(operations.spawn(request, work)?)
}

pub(crate) async fn set(guest: &Guest, frozen: bool) -> Result<()> {
    if let Some(qmp) = guest.qmp() {
        qmp.call(Call::new(if frozen { "stop" } else { "cont" })).await?;
    } else if guest.spec().machine {
        return Err(machine::silent(guest));
    } else {
        let held = guest.clone();
        blocking("freeze instance", move || held.monitor().freeze(frozen)).await?;
    }
    guest.set_phase(if frozen { Phase::Frozen } else { Phase::Running });
    Ok(())
}
