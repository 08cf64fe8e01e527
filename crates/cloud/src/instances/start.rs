//! Starts an instance that is stopped.

use serde::{Deserialize, Serialize};
use tasks::{Cx, Operation, Step, Task, step};

use super::{
    boot::{Notes, Starting},
    guests::Phase,
    options::Typed,
    power::{self, Power},
    resume::Resume,
    volatile,
};
use crate::{
    Caller, Error, Result, World,
    db::instances::Instance,
    expand::{self, Expanded},
    networks::port::name_links,
    url,
};

/// What is done to start an instance.
#[derive(Serialize, Deserialize)]
pub(crate) struct Start {
    pub(super) caller: Caller,
    pub(super) instance: Instance,
    expanded: Expanded,
}

impl Task for Start {
    const KIND: &'static str = "instance-start";
    // It makes no row, and may be begun without a majority.
    const FENCED: bool = false;
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

/// What becomes of memory that was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// The machine goes on with it, if there is any.
    Used,
    /// The same, and there must be some.
    Needed,
    /// It is forgotten once the machine runs.
    Forgotten,
}

impl Start {
    pub(super) fn starting<'a>(&'a self, world: &'a World) -> Starting<'a> {
        Starting::new(world, &self.instance, &self.expanded)
    }

    pub(crate) fn new(
        world: &World,
        caller: &Caller,
        (project, name): (&str, &str),
        memory: Memory,
    ) -> Result<Start> {
        world.store.read(|db| {
            let mut instance = super::find(db, project, name)?;
            if memory == Memory::Needed && !instance.stateful {
                let why = format!("no memory of \"{name}\" is kept: start it without");
                return Err(Error::invalid("stateful", why));
            }
            instance.stateful &= memory != Memory::Forgotten;
            volatile::forget_links(&mut instance.config);
            let typed = Typed::parse(&expand::expand(db, &instance)?)?;
            name_links(db, &world.tag, &mut instance, &typed.devices)?;
            let expanded = expand::expand(db, &instance)?;
            Ok(Start { caller: caller.clone(), instance, expanded })
        })
    }
}

/// Starts an instance that does not run.
pub async fn start(
    world: &World,
    caller: &Caller,
    project: &str,
    name: &str,
    memory: Memory,
) -> Result<Operation> {
    let task = Start::new(world, caller, (project, name), memory)?;
    if task.instance.stateful && !world.has_majority() {
        let hint = "too few members of the cluster can be reached to note that it goes on";
        return Err(Error::State { name: name.to_owned(), is: "stopped with its memory", hint });
    }
    if let Some(guest) = world.guests.get(project, name)
        && matches!(guest.phase(), Phase::Running | Phase::Frozen)
    {
        let (name, hint) = (name.to_owned(), "there is nothing to start");
        return Err(Error::State { name, is: "running", hint });
    }
    let request = super::request(world, "Starting instance", caller, project, name);
    if task.instance.stateful {
        world.submit(Resume(task), request)
    } else {
        world.submit(task, request)
    }
}

fn starting(cx: &Cx<Start>) -> Starting<'_> {
    cx.input.starting(&cx.world)
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
    write(world, old).await?;
    tell(world, caller, old);
    Ok(())
}

/// Notes that an instance runs, and that no memory of it is kept.
pub(super) async fn write(world: &World, old: &Instance) -> Result<()> {
    power::note(world, old, Power::Running).await
}

pub(super) fn tell(world: &World, caller: &Caller, instance: &Instance) {
    let source = url::instance(&instance.project, &instance.name);
    world.tell(caller, &instance.project, "instance-started", source);
}

async fn unrecord(cx: &mut Cx<Start>) -> Result<()> {
    super::exit::note_stopped(&cx.world, &cx.input.instance).await
}
