//! What receiving a machine that runs has in common, whether its disk comes along ([`super::arrive`]) or stays where it is
//! ([`super::land`]).

use std::{os::fd::OwnedFd, sync::Arc, time::Duration};

use uuid::Uuid;
use vm::Qmp;

use super::{cancellable, unheard};
use crate::{
    Error, Result, World,
    db::instances::Instance,
    instances::{boot, exit, guests::Phase, machine, start, streams::Stream},
    migration::Voyage,
};

/// The note that it is here, in the machine's folder: nothing of it is undone from then on. It need not outlive the
/// host, as neither does the machine.
pub(super) const HERE: &str = "here";
/// What QEMU that is to be asked answers within.
const PATIENCE: Duration = Duration::from_secs(5);

/// Does something long, and says so to the other side; ends when that gives up, or somebody cancels.
pub(super) async fn aboard(
    world: &World,
    voyage: Uuid,
    work: impl Future<Output = Result<()>>,
) -> Result<()> {
    let mut taken = world.voyages.take(voyage)?;
    let Voyage { link, operation } = &mut taken;
    let done = cancellable(operation, link.busy(work)).await;
    world.voyages.put(voyage, taken);
    done
}

/// The connection with its QEMU, if there is one.
pub(super) async fn reached(world: &World, (project, name): (&str, &str)) -> Result<Option<Qmp>> {
    if !boot::lives(world, project, name).await? {
        return Ok(None);
    }
    Ok(machine::reach(world, project, name, PATIENCE).await.ok())
}

/// The same of one that is this member's: a daemon that was started since holds it first, as QEMU talks to one at a time.
pub(super) async fn reached_here(
    world: &World,
    (project, name): (&str, &str),
) -> Result<Option<Qmp>> {
    if world.guests.get(project, name).is_none() {
        crate::reconcile::find_again(world, project, name).await;
    }
    reached(world, (project, name)).await
}

/// A pipe for a machine's memory.
pub(super) fn memory_end() -> Result<(OwnedFd, Stream)> {
    let (reader, writer) = std::io::pipe().map_err(unheard)?;
    Ok((reader.into(), Stream::new(writer.into()).map_err(unheard)?))
}

/// Lets one go on that is this member's: if it cannot, it is stopped here, as nobody else has it.
pub(super) async fn go_on(world: &World, (project, name): (&str, &str)) -> Result<()> {
    let went = match reached_here(world, (project, name)).await? {
        Some(qmp) => vm::go_on(&qmp).await.map_err(Error::from),
        None => Err(Error::BrokenOff),
    };
    if let Err(error) = went {
        tracing::error!(project, name, error = %tasks::chain(&error), "it does not go on here");
        boot::end(world, project, name).await?;
    }
    Ok(())
}

/// Notes in its row that it runs, and attends to it as to any guest; or, if it ended meanwhile, to its end.
pub(super) async fn runs_here(world: &Arc<World>, row: &Instance) -> Result<()> {
    let (project, name) = (row.project.as_str(), row.name.as_str());
    start::write(world, row).await?;
    match world.guests.get(project, name) {
        Some(guest) if guest.phase() == Phase::Starting => {
            guest.set_phase(Phase::Running);
            machine::agent::attend_again(world, &guest);
            // An error means that the daemon is about to end; the next one finds the guest again.
            let _ = world.started.send(guest);
        }
        Some(_) => {}
        None if boot::lives(world, project, name).await? => {
            crate::reconcile::find_again(world, project, name).await;
        }
        None => exit::settle_unseen(world, row).await?,
    }
    Ok(())
}
