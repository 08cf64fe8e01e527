//! Receives a machine that runs on another server, and lets it go on here.
//!
//! ```text
//! rows, a blank disk, snapshots ── QEMU waits ── its disk and memory come ── go ── it runs ── done
//! ```
//! The row is none of an instance that anybody sees until it runs. Before that all of it is undone when anything
//! fails, also when this daemon ends; once it runs it only goes forward. One that comes from another member of the
//! cluster has its row already: that becomes this member's before it runs ([`super::moves`]).

use std::{os::fd::OwnedFd, path::PathBuf, pin::pin, sync::Arc};

use futures_util::future::try_join;
use serde::{Deserialize, Serialize};
use tasks::{AfterCrash, Cx, Step, Task, step};
use tokio::task::JoinSet;
use uuid::Uuid;
use vm::{Call, NBD_SOCKET};

use super::{cancellable, flow, incoming, send::strange, told, unheard};
use crate::{
    Error, Result, World,
    db::instances::{Instance, Made},
    expand::{self, Expanded},
    instances::{
        backups::Import,
        boot::{self, Starting},
        delete,
        guests::Guest,
        machine::{self, memory::Frame},
        start,
        streams::Stream,
    },
    migration::{Said, Voyage},
    names,
};

/// What is done to receive it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Arrive {
    import: Import,
    /// The device that is the disk.
    disk: String,
    frame: Frame,
    voyage: Uuid,
}

impl Task for Arrive {
    const KIND: &'static str = "instance-arrive";
    // It may run by then.
    const AFTER_CRASH: AfterCrash = AfterCrash::Resume;
    type World = World;
    type Notes = boot::Notes;
    type Error = Error;

    fn steps() -> Vec<Step<Arrive>> {
        vec![
            step("write rows", rows).undo(delete_rows),
            step("unpack root", root).undo(delete_root),
            step("unpack snapshots", kept).undo(delete_side),
            step("start monitor", monitor).undo(abandon),
            step("run init", release),
            step("take over", take_over).undo(end_move),
            step("mark rows as whole", whole).point_of_no_return(),
        ]
    }
}

impl Arrive {
    pub(super) fn new(import: Import, disk: String, frame: Frame) -> Arrive {
        Arrive { import, disk, frame, voyage: Uuid::new_v4() }
    }

    /// What its link is kept by.
    pub(crate) fn voyage(&self) -> Uuid {
        self.voyage
    }

    /// The row, with what it expands to.
    fn known(&self, world: &World) -> Result<Option<(Instance, Expanded)>> {
        world.store.read(|db| {
            let row = self.import.own(db)?;
            row.map(|row| expand::expand(db, &row).map(|expanded| (row, expanded))).transpose()
        })
    }

    fn name(&self) -> (&str, &str) {
        self.import.name()
    }

    /// Where is noted that it runs here.
    fn here(&self, world: &World) -> PathBuf {
        let (project, name) = self.name();
        world.dirs.machine(&names::instance_id(project, name)).join(incoming::HERE)
    }
}

async fn rows(cx: &mut Cx<Arrive>) -> Result<()> {
    cx.input.import.write_rows(&cx.world).await
}

async fn delete_rows(cx: &mut Cx<Arrive>) -> Result<()> {
    match stays(cx)? {
        true => Ok(()),
        false => cx.input.import.delete_rows(&cx.world).await,
    }
}

/// Whether it runs here and has a whole row: nothing of it is undone.
fn stays(cx: &Cx<Arrive>) -> Result<bool> {
    let import = &cx.input.import;
    cx.world.store.read(|db| match import.moves() {
        true => Ok(import.half(db)?.is_none()),
        false => Ok(import.own(db)?.is_some_and(|row| row.made == Made::Ready)),
    })
}

async fn root(cx: &mut Cx<Arrive>) -> Result<()> {
    incoming::aboard(
        &cx.world,
        cx.input.voyage,
        cx.input.import.unpack_root(&cx.world, &cx.control),
    )
    .await
}

async fn delete_root(cx: &mut Cx<Arrive>) -> Result<()> {
    match stays(cx)? {
        true => Ok(()),
        false => cx.input.import.delete_root(&cx.world).await,
    }
}

async fn kept(cx: &mut Cx<Arrive>) -> Result<()> {
    incoming::aboard(
        &cx.world,
        cx.input.voyage,
        cx.input.import.unpack_snapshots(&cx.world, &cx.control),
    )
    .await
}

async fn delete_side(cx: &mut Cx<Arrive>) -> Result<()> {
    match stays(cx)? {
        true => Ok(()),
        false => cx.input.import.delete_side(&cx.world).await,
    }
}

fn starting<'a>(
    cx: &'a Cx<Arrive>,
    (instance, expanded): &'a (Instance, Expanded),
) -> Starting<'a> {
    let arrives = Some(&cx.input.frame);
    Starting { arrives, ..Starting::new(&cx.world, instance, expanded) }
}

fn known(cx: &Cx<Arrive>) -> Result<(Instance, Expanded)> {
    let (_, name) = cx.input.name();
    cx.input.known(&cx.world)?.ok_or_else(|| Error::not_found("instance", name))
}

async fn monitor(cx: &mut Cx<Arrive>) -> Result<()> {
    if runs(cx).await? {
        return Ok(());
    }
    let (known, mut notes) = (known(cx)?, cx.notes.clone());
    incoming::aboard(&cx.world, cx.input.voyage, starting(cx, &known).monitor(&mut notes)).await?;
    cx.notes = notes;
    Ok(())
}

async fn abandon(cx: &mut Cx<Arrive>) -> Result<()> {
    let stays = stays(cx)?;
    match cx.input.known(&cx.world)?.filter(|_| !stays) {
        Some(known) => {
            starting(cx, &known).abandon().await?;
            let (project, name) = cx.input.name();
            delete::remove_folders(&cx.world, project, name).await
        }
        None => Ok(()),
    }
}

async fn release(cx: &mut Cx<Arrive>) -> Result<()> {
    if runs(cx).await? {
        return Ok(());
    }
    let known = known(cx)?;
    incoming::aboard(&cx.world, cx.input.voyage, starting(cx, &known).release()).await
}

/// Whether it runs: the step ran before.
async fn runs(cx: &Cx<Arrive>) -> Result<bool> {
    if cx.input.here(&cx.world).exists() {
        return Ok(true);
    }
    let Some(qmp) = incoming::reached(&cx.world, cx.input.name()).await? else { return Ok(false) };
    let status = qmp.call(Call::new("query-status")).await?["status"].clone();
    Ok(status == "running")
}

async fn take_over(cx: &mut Cx<Arrive>) -> Result<()> {
    if runs(cx).await? {
        return Ok(());
    }
    if cx.input.import.is_here(&cx.world)? {
        return incoming::go_on(&cx.world, cx.input.name()).await;
    }
    let mut voyage = cx.world.voyages.take(cx.input.voyage)?;
    let taken = taken_over(cx, &mut voyage).await;
    // The source goes on with it before all is tidied up here.
    let taken = told(&voyage.link, taken).await;
    cx.world.voyages.put(cx.input.voyage, voyage);
    taken
}

async fn taken_over(cx: &Cx<Arrive>, voyage: &mut Voyage) -> Result<()> {
    let (project, name) = cx.input.name();
    let guest = cx.world.guests.get(project, name);
    let guest = guest.ok_or_else(|| Error::not_found("instance", name))?;
    let qmp = guest.qmp().ok_or_else(|| machine::silent(&guest))?;
    let (link, operation) = (&mut voyage.link, &voyage.operation);
    let mut carriers = JoinSet::new();
    let arrived = async {
        vm::export(qmp, &cx.input.disk).await?;
        let [disk, memory] = link.streams()?;
        let (disk_end, memory_end) = ends(&cx.world, &guest).await?;
        carriers.spawn(async move { super::carry(&disk_end, disk).await });
        let (reader, writer) = memory_end;
        carriers.spawn(async move { flow::receive(&writer, memory).await });
        link.tell(&Said::Waiting).await?;
        let mut memory = pin!(async { Ok(vm::arrive(qmp, reader).await?) });
        let told = link.busy_until(memory.as_mut(), |said| *said == Said::Same).await?.is_none();
        if told {
            // The guest stands still: both at once.
            let unexport = async { Ok(vm::unexport(qmp).await?) };
            link.busy(async { try_join(memory, unexport).await.map(drop) }).await?;
        }
        match link.hear().await? {
            Said::Go if told => Ok(()),
            Said::Go => Ok(vm::unexport(qmp).await?),
            other => Err(strange(&other)),
        }
    };
    cancellable(operation, arrived).await?;
    if cx.input.import.moves() {
        link.busy(cx.input.import.take(&cx.world)).await?;
        incoming::go_on(&cx.world, cx.input.name()).await?;
        // It is this member's in any case. Who does not hear of it asks the database.
        let _ = link.tell(&Said::Done).await;
        return Ok(());
    }
    if let Err(error) = vm::go_on(qmp).await {
        // It must not begin later: the source is about to be told to go on.
        boot::end(&cx.world, project, name).await?;
        return Err(error.into());
    }
    // It runs. Who does not hear of it keeps it standing. Without a note it is seen that it runs.
    let _ = std::fs::write(cx.input.here(&cx.world), "");
    let _ = link.tell(&Said::Done).await;
    Ok(())
}

/// What QEMU's disk is written through, and a pipe for its memory.
async fn ends(world: &World, guest: &Guest) -> Result<(Stream, (OwnedFd, Stream))> {
    let io = world.dirs.machine(&names::instance_id(guest.project(), guest.name())).join("io");
    let stream = vm::open_socket(&io, NBD_SOCKET).await.map_err(unheard)?;
    let stream = stream.ok_or_else(|| machine::silent(guest))?.into_std().map_err(unheard)?;
    Ok((Stream::new(stream.into()).map_err(unheard)?, incoming::memory_end()?))
}

/// After a failure: it comes here by itself no more. One that is here already stays, and the rest is done for it.
async fn end_move(cx: &mut Cx<Arrive>) -> Result<()> {
    let moved = cx.input.import.end_move(&cx.world).await?;
    match moved || cx.input.here(&cx.world).exists() {
        true => whole(cx).await,
        false => Ok(()),
    }
}

async fn whole(cx: &mut Cx<Arrive>) -> Result<()> {
    let world: &Arc<World> = &cx.world;
    cx.input.import.mark_whole(world).await?;
    let (row, _) = known(cx)?;
    incoming::runs_here(world, &row).await?;
    start::tell(world, cx.input.import.caller(), &row);
    // It says nothing any more, now that the row does.
    let _ = std::fs::remove_file(cx.input.here(world));
    Ok(())
}
