//! Receives a machine that runs on another member, whose disks both members reach: they stay where they are.
//!
//! ```text
//! copies of what lies beside its disk ── QEMU waits, with nothing behind its disks ── its memory comes ── go
//!   ── its disks are opened ── the row becomes this member's ── it runs ── done
//!   ── the other member has let go of all ── what lies beside its disk is this member's, too
//! ```
//! Whatever fails before the row is this member's is undone, and the source's guest goes on: nothing was written to its
//! disks from here. After that it is nobody else's, and this only goes forward. Until the source has ended its QEMU, what
//! lies beside the disk is mounted there; the guest needs nothing of it but what its firmware keeps, which comes as a
//! copy and moves to its file then.

use std::path::{Path, PathBuf};

use exec::Control;
use futures_util::future::try_join_all;
use images::Limits;
use options::device::{Disk, DiskSource};
use serde::{Deserialize, Serialize};
use tasks::{AfterCrash, Cx, Step, Task, step};
use tokio::task::JoinSet;
use uuid::Uuid;
use vm::Qmp;

use super::{Moving, cancellable, flow, incoming, send::strange, told};
use crate::{
    Caller, Error, Result, World, backups,
    blocking::blocking,
    db::instances::{self as rows, Instance},
    disk,
    expand::{self, Expanded},
    instances::{
        backups::{folder, of_machine},
        boot::{self, Starting},
        delete,
        machine::{self, memory::Frame},
        options::Typed,
        start,
    },
    migration::{Said, Voyage},
    names,
    networks::hosts,
    url,
    volumes::{Key, attach, keeper},
};

/// Bytes that copies may take: a kernel and what it begins with.
const MOST: u64 = 2 << 30;
/// The folder of the copies, in the machine's.
const COPIES: &str = "beside";

/// What is done to receive it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Land {
    caller: Caller,
    /// The row as the source had it.
    instance: Instance,
    moving: Moving,
    /// What the source sent.
    file: PathBuf,
    frame: Frame,
    voyage: Uuid,
}

impl Task for Land {
    const KIND: &'static str = "instance-land";
    // It may run by then.
    const AFTER_CRASH: AfterCrash = AfterCrash::Resume;
    type World = World;
    type Notes = boot::Notes;
    type Error = Error;

    fn steps() -> Vec<Step<Land>> {
        vec![
            step("unpack copies", unpack).undo(forget),
            step("start monitor", monitor).undo(abandon),
            step("run init", release),
            step("take over", take_over).undo(end_move),
            step("note that it runs", whole).point_of_no_return(),
            step("have what lies beside its disk", have_beside),
        ]
    }
}

impl Land {
    pub(super) fn new(
        caller: &Caller,
        (moving, instance): (Moving, Instance),
        file: &Path,
        frame: Frame,
    ) -> Land {
        let (caller, file, voyage) = (caller.clone(), file.to_owned(), Uuid::new_v4());
        Land { caller, instance, moving, file, frame, voyage }
    }

    /// What its link is kept by.
    pub(crate) fn voyage(&self) -> Uuid {
        self.voyage
    }

    fn name(&self) -> (&str, &str) {
        (&self.instance.project, &self.instance.name)
    }

    fn place(&self, world: &World) -> PathBuf {
        let (project, name) = self.name();
        world.dirs.machine(&names::instance_id(project, name))
    }

    fn copies(&self, world: &World) -> PathBuf {
        self.place(world).join(COPIES)
    }

    /// The row as it is now, with what it expands to.
    fn known(&self, world: &World) -> Result<Option<(Instance, Expanded)>> {
        world.store.read(|db| {
            let row = rows::by_id(db, self.moving.instance)?;
            row.map(|row| expand::expand(db, &row).map(|expanded| (row, expanded))).transpose()
        })
    }

    /// Whether it is this member's by this move: nothing of it is undone.
    fn stays(&self, world: &World) -> Result<bool> {
        let noted = self.place(world).join(incoming::HERE).exists();
        Ok(noted && self.known(world)?.is_some_and(|(row, _)| row.member == world.me()))
    }

    fn disks(&self, world: &World) -> Result<Vec<(String, Disk)>> {
        let Some((_, expanded)) = self.known(world)? else { return Ok(Vec::new()) };
        let typed = Typed::parse(&expanded)?;
        let all = typed.devices.iter().filter(|(name, _)| self.frame.disks.contains_key(*name));
        Ok(all.filter_map(|(name, device)| Some((name.clone(), device.disk()?.clone()))).collect())
    }
}

fn known(cx: &Cx<Land>) -> Result<(Instance, Expanded)> {
    let (_, name) = cx.input.name();
    cx.input.known(&cx.world)?.ok_or_else(|| Error::not_found("instance", name))
}

async fn unpack(cx: &mut Cx<Land>) -> Result<()> {
    if runs(cx).await? {
        return Ok(());
    }
    let (file, to, control) =
        (cx.input.file.clone(), cx.input.copies(&cx.world), cx.control.clone());
    incoming::aboard(
        &cx.world,
        cx.input.voyage,
        blocking("unpack copies", move || unpacked(&file, &to, &control)),
    )
    .await
}

fn unpacked(file: &Path, to: &Path, control: &Control) -> Result<()> {
    disk::remove_folder(to)?;
    std::fs::create_dir_all(to).map_err(Error::file("make", to))?;
    images::unpack_beside(file, of_machine().as_ref(), to, &Limits::of_backup(MOST), control)?;
    Ok(())
}

/// Removes what came; it is the last to be undone.
async fn forget(cx: &mut Cx<Land>) -> Result<()> {
    let (world, (project, name)) = (&cx.world, cx.input.name());
    if cx.input.stays(world)? {
        return Ok(());
    }
    disk::remove_folder(&cx.input.copies(world))?;
    let Some((row, _)) = cx.input.known(world)? else { return Ok(()) };
    if row.member != world.me() {
        return backups::remove_all(world, &folder(project, name)).await;
    }
    // Whoever heals the cluster made it this member's meanwhile. It is started as one that was cut off from its power.
    let (world, row) = (world.clone(), row);
    if world.powers.was_running(&row) {
        tokio::spawn(async move { crate::reconcile::start_or_wait(&world, &row).await });
    }
    Ok(())
}

fn starting<'a>(
    cx: &'a Cx<Land>,
    (instance, expanded): &'a (Instance, Expanded),
    copies: &'a Path,
) -> Starting<'a> {
    let (arrives, beside) = (Some(&cx.input.frame), Some(copies));
    Starting { arrives, beside, ..Starting::new(&cx.world, instance, expanded) }
}

async fn monitor(cx: &mut Cx<Land>) -> Result<()> {
    if runs(cx).await? {
        return Ok(());
    }
    let (known, mut notes) = (known(cx)?, cx.notes.clone());
    let copies = cx.input.copies(&cx.world);
    incoming::aboard(&cx.world, cx.input.voyage, starting(cx, &known, &copies).monitor(&mut notes))
        .await?;
    cx.notes = notes;
    Ok(())
}

async fn abandon(cx: &mut Cx<Land>) -> Result<()> {
    let world = &cx.world;
    if cx.input.stays(world)? {
        return Ok(());
    }
    let (project, name) = cx.input.name();
    let Some(known) = cx.input.known(world)? else {
        boot::end(world, project, name).await?;
        return delete::remove_folders(world, project, name).await;
    };
    let copies = cx.input.copies(world);
    starting(cx, &known, &copies).abandon().await?;
    for (_, disk) in cx.input.disks(world)? {
        attach::release(world, project, &disk).await;
    }
    delete::remove_folders(world, project, name).await
}

async fn release(cx: &mut Cx<Land>) -> Result<()> {
    if runs(cx).await? {
        return Ok(());
    }
    let (known, copies) = (known(cx)?, cx.input.copies(&cx.world));
    incoming::aboard(&cx.world, cx.input.voyage, starting(cx, &known, &copies).release()).await
}

/// Whether it is this member's, and runs or ran: the step ran before.
async fn runs(cx: &Cx<Land>) -> Result<bool> {
    cx.input.stays(&cx.world)
}

async fn take_over(cx: &mut Cx<Land>) -> Result<()> {
    if runs(cx).await? {
        return incoming::go_on(&cx.world, cx.input.name()).await;
    }
    let mut voyage = cx.world.voyages.take(cx.input.voyage)?;
    let taken = taken_over(cx, &mut voyage).await;
    // The source goes on with it before all is tidied up here.
    let taken = told(&voyage.link, taken).await;
    cx.world.voyages.put(cx.input.voyage, voyage);
    taken
}

async fn taken_over(cx: &Cx<Land>, voyage: &mut Voyage) -> Result<()> {
    let (world, (project, name)) = (&cx.world, cx.input.name());
    let guest = world.guests.get(project, name);
    let guest = guest.ok_or_else(|| Error::not_found("instance", name))?;
    let qmp = guest.qmp().ok_or_else(|| machine::silent(&guest))?;
    let (link, operation) = (&mut voyage.link, &voyage.operation);
    let mut carriers = JoinSet::new();
    let arrived = async {
        let [_, memory] = link.streams()?;
        let (reader, writer) = incoming::memory_end()?;
        carriers.spawn(async move { flow::receive(&writer, memory).await });
        link.tell(&Said::Waiting).await?;
        link.busy(async { Ok(vm::arrive(qmp, reader).await?) }).await?;
        match link.hear().await? {
            Said::Go => link.busy(put_behind(cx, qmp)).await,
            other => Err(strange(&other)),
        }
    };
    cancellable(operation, arrived).await?;
    // To its end, whatever becomes of the link.
    cx.input.moving.take_over(world, &cx.input.instance.member).await?;
    note_here(cx);
    incoming::go_on(&cx.world, cx.input.name()).await?;
    // It is this member's in any case. Who does not hear of it asks the database.
    let _ = link.tell(&Said::Done).await;
    Ok(())
}

/// Opens its disks, which the source is done with; nothing is written to them before it runs.
async fn put_behind(cx: &Cx<Land>, qmp: &Qmp) -> Result<()> {
    let (row, _) = known(cx)?;
    let disks = cx.input.disks(&cx.world)?;
    // The guest stands still meanwhile.
    let each =
        disks.iter().map(|(name, disk)| machine::put_behind(&cx.world, qmp, &row, (name, disk)));
    try_join_all(each).await.map(drop)
}

/// Without the note a later daemon would end it, and start it anew.
fn note_here(cx: &Cx<Land>) {
    if let Err(error) = std::fs::write(cx.input.place(&cx.world).join(incoming::HERE), "") {
        tracing::error!(name = cx.input.instance.name, %error, "note that it is here");
    }
}

/// After a failure: it comes here by itself no more. Where it did not fail after all, what is left is done for it.
async fn end_move(cx: &mut Cx<Land>) -> Result<()> {
    let taken = cx.input.moving.end_taken(&cx.world).await?;
    if taken {
        note_here(cx);
        incoming::go_on(&cx.world, cx.input.name()).await?;
    }
    if cx.input.stays(&cx.world)? {
        whole(cx).await?;
        // What is undone after this sees by the note that it stays.
        take_beside(cx).await?;
    }
    Ok(())
}

async fn whole(cx: &mut Cx<Land>) -> Result<()> {
    let (world, (project, name)) = (&cx.world, cx.input.name());
    cx.input.moving.end(world).await?;
    let (row, _) = known(cx)?;
    hosts::tell_of(world, project, name)?;
    incoming::runs_here(world, &row).await?;
    world.tell(&cx.input.caller, project, "instance-updated", url::instance(project, name));
    start::tell(world, &cx.input.caller, &row);
    Ok(())
}

async fn have_beside(cx: &mut Cx<Land>) -> Result<()> {
    take_beside(cx).await?;
    // It says nothing any more, now that the row does.
    let _ = std::fs::remove_file(cx.input.place(&cx.world).join(incoming::HERE));
    if let Ok(voyage) = cx.world.voyages.take(cx.input.voyage) {
        // Who waits for this may be gone.
        let _ = voyage.link.tell(&Said::Done).await;
        cx.world.voyages.put(cx.input.voyage, voyage);
    }
    Ok(())
}

/// Waits until the source has let go of what lies beside the disk, and has it attached here.
async fn take_beside(cx: &Cx<Land>) -> Result<()> {
    let (world, (project, name)) = (&cx.world, cx.input.name());
    let (row, expanded) = known(cx)?;
    for (_, disk) in cx.input.disks(world)? {
        if let Some(DiskSource::Volume { pool, volume, .. }) = disk.origin() {
            let found = world.store.read(|db| {
                let key = Key::of(db, pool, project, volume)?;
                let row = key.find(db)?;
                Ok::<_, Error>((key, row))
            })?;
            keeper::take(world, &found.0, &found.1).await?;
        }
    }
    if let Some(qmp) = incoming::reached_here(&cx.world, cx.input.name()).await? {
        let typed = Typed::parse(&expanded)?;
        let (pool, root) = (world.pools.open(world, typed.root_pool()?).await?, row.root()?);
        let beside = blocking("attach root", move || {
            let beside = pool.folder(&root)?;
            // A later daemon has attached it as it found the machine; or the step ran before.
            if !beside.exists() {
                pool.attach(&root)?;
            }
            Ok::<_, Error>(beside)
        })
        .await?;
        if let Some(file) = machine::spec::variables_in(world, &typed, &beside)? {
            let open = std::fs::OpenOptions::new().read(true).write(true).open(&file);
            let open = open.map_err(Error::file("open", &file))?;
            vm::move_variables(&qmp, open.into()).await?;
        }
    }
    disk::remove_folder(&cx.input.copies(world))?;
    backups::remove(&cx.input.file).await?;
    tracing::info!(project, name, "it has all here that it had on the other member");
    Ok(())
}
