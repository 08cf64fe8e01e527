//! Starts an instance that is stopped.

use serde::{Deserialize, Serialize};
use tasks::{Cx, Operation, Step, Task, step};

use super::{
    boot::{Notes, Starting},
    guests::Phase,
    volatile,
};
use crate::{
    Caller, Error, Result, World,
    db::instances::{self as rows, Instance},
    expand::{self, Expanded},
    url,
};

/// What is done to start an instance.
#[derive(Serialize, Deserialize)]
pub(crate) struct Start {
    caller: Caller,
    instance: Instance,
    expanded: Expanded,
}

impl Task for Start {
    const KIND: &'static str = "instance-start";
    type World = World;
    type Notes = Notes;
    type Error = Error;

    fn steps() -> Vec<Step<Start>> {
        vec![
            step("start monitor", monitor).undo(abandon),
            step("attach ports", ports),
            step("run init", release),
            step("write row", record).undo(unrecord),
        ]
    }
}

impl Start {
    pub(crate) fn new(world: &World, caller: &Caller, project: &str, name: &str) -> Result<Start> {
        world.store.read(|db| {
            let instance = super::find(db, project, name)?;
            let expanded = expand::expand(db, &instance)?;
            Ok(Start { caller: caller.clone(), instance, expanded })
        })
    }
}

/// Starts an instance that does not run.
pub async fn start(world: &World, caller: &Caller, project: &str, name: &str) -> Result<Operation> {
    let task = Start::new(world, caller, project, name)?;
    if let Some(guest) = world.guests.get(project, name)
        && matches!(guest.phase(), Phase::Running | Phase::Frozen)
    {
        let (name, hint) = (name.to_owned(), "there is nothing to start");
        return Err(Error::State { name, is: "running", hint });
    }
    let request = super::request(world, "Starting instance", caller, project, name);
    world.submit(task, request)
}

fn starting(cx: &Cx<Start>) -> Starting<'_> {
    Starting { world: &cx.world, instance: &cx.input.instance, expanded: &cx.input.expanded }
}

async fn monitor(cx: &mut Cx<Start>) -> Result<()> {
    let mut notes = cx.notes.clone();
    starting(cx).monitor(&mut notes).await?;
    cx.notes = notes;
    Ok(())
}

async fn abandon(cx: &mut Cx<Start>) -> Result<()> {
    starting(cx).abandon().await
}

async fn ports(cx: &mut Cx<Start>) -> Result<()> {
    starting(cx).ports().await
}

async fn release(cx: &mut Cx<Start>) -> Result<()> {
    starting(cx).release().await
}

async fn record(cx: &mut Cx<Start>) -> Result<()> {
    note(&cx.world, &cx.input.caller, &cx.input.instance).await
}

/// Notes that an instance runs, and tells it.
pub(super) async fn note(world: &World, caller: &Caller, old: &Instance) -> Result<()> {
    world
        .store
        .write(|db| {
            let mut row = super::find(db, &old.project, &old.name)?;
            volatile::set_power(&mut row.config, options::instance::PowerState::Running);
            rows::set_config(db, row.id, &row.config)?;
            Ok::<_, Error>(rows::set_last_used(db, row.id, chrono::Utc::now())?)
        })
        .await?;
    let source = url::instance(&old.project, &old.name);
    world.tell(caller, &old.project, "instance-started", source);
    Ok(())
}

async fn unrecord(cx: &mut Cx<Start>) -> Result<()> {
    super::exit::note_stopped(&cx.world, &cx.input.instance).await
}
