//! Stops a virtual machine so that its next start goes on where it was (`stop --stateful`).
//!
//! Until its memory is on disk and its row says so it runs, or runs on.

use serde::{Deserialize, Serialize};
use tasks::{Cx, Operation, Step, Task, step};

use super::{
    Kind, boot, exit,
    guests::{After, Guest, Phase},
    machine::{self, memory},
    options::Typed,
    stop::{self, How},
};
use crate::{
    Caller, Error, Result, World,
    db::instances::{self as rows, Instance},
    expand,
};

/// What is done to stop a machine with its memory.
#[derive(Serialize, Deserialize)]
pub(crate) struct Suspend {
    instance: Instance,
    /// Bytes that its memory may take.
    limit: Option<u64>,
    /// Whether a client had paused it.
    frozen: bool,
}

impl Task for Suspend {
    const KIND: &'static str = "instance-suspend";
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Suspend>> {
        vec![
            step("keep memory", save).undo(take_back),
            step("write row", row).undo(row_back),
            step("end machine", end).point_of_no_return(),
        ]
    }
}

/// Fails for what has no memory that can be kept.
pub(crate) fn check(instance: &Instance, typed: &Typed) -> Result<()> {
    let no = |why: &str| Err(Error::invalid("stateful", why));
    match instance.kind() {
        Kind::Container => {
            no("the memory of a container cannot be kept: only that of a virtual machine")
        }
        _ if !typed.options.migration_stateful => no(
            "migration.stateful=true is missing, which says that the machine's memory may be kept",
        ),
        _ => machine::check_memory(typed),
    }
}

impl Suspend {
    pub(crate) fn new(world: &World, project: &str, name: &str) -> Result<Suspend> {
        let guest = super::guest(world, project, name)?;
        world.store.read(|db| {
            let instance = super::find(db, project, name)?;
            let typed = Typed::parse(&expand::expand(db, &instance)?)?;
            check(&instance, &typed)?;
            if instance.ephemeral {
                let why = "an ephemeral instance is deleted when it stops";
                return Err(Error::invalid("stateful", why));
            }
            let frozen = guest.phase() == Phase::Frozen;
            Ok(Suspend { limit: typed.state_size(), instance, frozen })
        })
    }
}

/// Stops a machine with its memory.
pub async fn suspend(
    world: &World,
    caller: &Caller,
    project: &str,
    name: &str,
) -> Result<Operation> {
    let task = Suspend::new(world, project, name)?;
    let request = super::request(world, "Stopping instance", caller, project, name);
    world.submit(task, request.uncancellable())
}

fn guest(cx: &Cx<Suspend>) -> Option<Guest> {
    let Instance { project, name, .. } = &cx.input.instance;
    cx.world.guests.get(project, name).filter(|guest| guest.phase() != Phase::Gone)
}

async fn save(cx: &mut Cx<Suspend>) -> Result<()> {
    let Suspend { instance, limit, .. } = &*cx.input;
    let guest = super::guest(&cx.world, &instance.project, &instance.name)?;
    memory::save(&cx.world, &guest, instance, *limit).await
}

async fn take_back(cx: &mut Cx<Suspend>) -> Result<()> {
    memory::take_back(&cx.world, &cx.input.instance, cx.input.frozen).await
}

async fn set(cx: &Cx<Suspend>, stateful: bool) -> Result<()> {
    let id = cx.input.instance.id;
    cx.world.store.write(|db| Ok::<_, Error>(rows::set_stateful(db, id, stateful)?)).await
}

async fn row(cx: &mut Cx<Suspend>) -> Result<()> {
    set(cx, true).await
}

async fn row_back(cx: &mut Cx<Suspend>) -> Result<()> {
    set(cx, false).await
}

async fn end(cx: &mut Cx<Suspend>) -> Result<()> {
    if let Some(guest) = guest(cx) {
        guest.set_after(After::Stopped);
        let how = How { force: true, timeout: None, again: false };
        return stop::end(&cx.world, &guest, how).await;
    }
    // After a crash nobody holds it yet.
    let instance = &cx.input.instance;
    boot::end(&cx.world, &instance.project, &instance.name).await?;
    exit::note_stopped(&cx.world, instance).await
}
