//! Sends a machine that runs to another server, with its memory.
//!
//! ```text
//! hello ── a backup with a blank disk ── its disk, by a mirror ── its memory ── it stands still
//!   ── "away" is noted ── go ── done: it is ended here
//! ```
//! Whatever fails before `go`, the machine runs on. From `go` on the other server may run it: it goes on here only if
//! that server says that it failed. If nobody can tell, it stands still, with all its memory, until somebody says
//! where it is to run. If the other server is a member of the same cluster, the database tells ([`super::moves`]); and
//! disks that both reach stay where they are ([`super::stay`]).

use std::{
    collections::BTreeMap,
    os::fd::OwnedFd,
    path::PathBuf,
    time::{Duration, Instant},
};

use exec::Progress;
use serde::{Deserialize, Serialize};
use tasks::{Cx, Operation, Socket, Step, Task, step};
use tokio::{net::UnixListener, sync::broadcast::Receiver, task::JoinSet};
use uuid::Uuid;
use vm::{Call, Event, Mirror, Moved, NBD_SOCKET, Qmp};

use super::{Moving, cancellable, flow, moves, send, stay, told, unheard};
use crate::{
    Error, Result, World,
    backups::Source,
    db::instances::{self as rows, Instance},
    expand,
    instances::{
        backups::Of,
        boot, exit,
        guests::{After, Guest, Phase},
        machine::{self, memory::Frame},
        options::Typed,
        snapshots, start,
        stop::{self, How},
        streams::Stream,
        suspend,
    },
    migration::{Link, SAME, Said, Voyage},
    names,
};

/// What QEMU that is to be asked answers within.
const PATIENCE: Duration = Duration::from_secs(5);
/// The note that another server may run it, in the machine's folder. It need not outlive the host: neither does
/// the machine that stands still.
const AWAY: &str = "away";
/// What that becomes once the other server has said that it runs it.
const GONE: &str = "gone";

/// What is done to send it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Depart {
    instance: Instance,
    /// The device that is the disk.
    disk: String,
    without_snapshots: bool,
    voyage: Uuid,
    /// Where the other server is a member of the same cluster, and the row goes there: the move, and the pool here.
    #[serde(default)]
    moving: Option<(Moving, String)>,
    /// The disks that stay where they are, in pools that the other member shares; none where the disk goes.
    #[serde(default)]
    pub(super) shared: Vec<String>,
}

/// What the steps learn.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Notes {
    /// Whether the other server runs it.
    over: bool,
}

impl Task for Depart {
    const KIND: &'static str = "instance-depart";
    type World = World;
    type Notes = Notes;
    type Error = Error;

    fn steps() -> Vec<Step<Depart>> {
        vec![
            step("note that it goes", begin).undo(end_move),
            step("hand over", hand_over).undo(remain),
            step("end machine", end).point_of_no_return(),
            step("delete what is left", left),
        ]
    }
}

/// Fails unless it runs.
fn runs(world: &World, of: &Of) -> Result<()> {
    let guest = crate::instances::guest(world, &of.project, &of.instance)?;
    if guest.phase() != Phase::Running {
        let hint = "let it go on first (start), or stop it";
        return Err(Error::State { name: of.instance.clone(), is: "not running", hint });
    }
    Ok(())
}

/// Fails where its memory cannot go.
fn check(instance: &Instance, typed: &Typed) -> Result<()> {
    let name = &instance.name;
    suspend::check(instance, typed).map_err(|error| match error {
        Error::Invalid { why, .. } => {
            Error::invalid("migration", format!("\"{name}\" runs: {why}; or stop it first"))
        }
        other => other,
    })?;
    if instance.ephemeral {
        let why = "an ephemeral instance is deleted when it stops: it cannot be moved";
        return Err(Error::invalid("migration", why));
    }
    Ok(())
}

impl Depart {
    /// Fails where the machine cannot go with its memory.
    pub(crate) fn new(world: &World, of: &Of, without_snapshots: bool) -> Result<Depart> {
        let (project, name) = (&of.project, &of.instance);
        runs(world, of)?;
        world.store.read(|db| {
            let instance = crate::instances::find(db, project, name)?;
            let typed = Typed::parse_whole(&expand::expand(db, &instance)?)?;
            check(&instance, &typed)?;
            let (disk, shared) = (machine::only_disk(&typed)?, Vec::new());
            let voyage = Uuid::new_v4();
            Ok(Depart { instance, disk, without_snapshots, voyage, moving: None, shared })
        })
    }

    /// The same to another member, to which the row goes.
    pub(super) fn to_member(world: &World, of: &Of, moving: Moving) -> Result<Depart> {
        let (project, name) = (&of.project, &of.instance);
        let (pool, shared) = world.store.read(|db| {
            let pool = snapshots::pool_of(db, project, name)?;
            let shared = crate::cluster::lease::shared(db)?.contains(&pool);
            Ok::<_, Error>((pool, shared))
        })?;
        match shared {
            true => Depart::without_disks(world, of, (moving, pool)),
            false => Ok(Depart { moving: Some((moving, pool)), ..Depart::new(world, of, false)? }),
        }
    }

    /// The same with its disks where they are, in pools that the other member shares.
    fn without_disks(world: &World, of: &Of, moving: (Moving, String)) -> Result<Depart> {
        let (project, name) = (&of.project, &of.instance);
        runs(world, of)?;
        world.store.read(|db| {
            let instance = crate::instances::find(db, project, name)?;
            let typed = Typed::parse_whole(&expand::expand(db, &instance)?)?;
            check(&instance, &typed)?;
            let shared = machine::shared_disks(db, &typed)?.into_keys().collect();
            let (moving, voyage) = (Some(moving), Uuid::new_v4());
            let (disk, without_snapshots) = (String::new(), true);
            Ok(Depart { instance, disk, without_snapshots, voyage, moving, shared })
        })
    }

    /// The instance as it was when it set out.
    pub(super) fn instance(&self) -> &Instance {
        &self.instance
    }

    /// Whether another member has it; not if it goes to a server that is none.
    async fn is_away(&self, world: &World) -> Result<bool> {
        match &self.moving {
            Some((moving, _)) => Ok(!moving.end(world).await?),
            None => Ok(false),
        }
    }

    /// What its link is kept by.
    pub(crate) fn voyage(&self) -> Uuid {
        self.voyage
    }

    fn of(&self) -> Of {
        Of::new(&self.instance.project, &self.instance.name)
    }

    fn folder(&self, world: &World) -> PathBuf {
        world.dirs.machine(&names::instance_id(&self.instance.project, &self.instance.name))
    }

    fn guest(&self, world: &World) -> Result<Guest> {
        crate::instances::guest(world, &self.instance.project, &self.instance.name)
    }
}

async fn begin(cx: &mut Cx<Depart>) -> Result<()> {
    match &cx.input.moving {
        Some((moving, _)) => moving.begin(&cx.world).await,
        None => Ok(()),
    }
}

async fn end_move(cx: &mut Cx<Depart>) -> Result<()> {
    cx.input.is_away(&cx.world).await.map(drop)
}

async fn hand_over(cx: &mut Cx<Depart>) -> Result<()> {
    if cx.notes.over {
        return Ok(());
    }
    let mut voyage = cx.world.voyages.take(cx.input.voyage)?;
    let done = handed_over(&cx.world, &cx.input, &mut voyage).await;
    let done = told(&voyage.link, done).await;
    cx.world.voyages.put(cx.input.voyage, voyage);
    let done = match (&cx.input.moving, done) {
        (None, done) => done,
        (Some(_), done) => match cx.input.is_away(&cx.world).await? {
            true => Ok(()),
            false => Err(done.err().unwrap_or(Error::BrokenOff)),
        },
    };
    cx.notes.over = done.is_ok();
    done
}

async fn handed_over(world: &World, input: &Depart, voyage: &mut Voyage) -> Result<()> {
    let guest = input.guest(world)?;
    let qmp = guest.qmp().ok_or_else(|| machine::silent(&guest))?;
    let (link, operation) = (&mut voyage.link, &voyage.operation);
    let [away, gone] = [AWAY, GONE].map(|note| input.folder(world).join(note));
    remove(&away)?;
    remove(&gone)?;
    // Those that carry end with it.
    let mut carriers = JoinSet::new();
    let mut events = qmp.events();
    let ready = async {
        match input.shared.is_empty() {
            true => mirrored(world, input, (&guest, qmp), (operation, link), &mut carriers).await,
            false => {
                stay::ready(world, input, (&guest, qmp), (operation, link), &mut carriers).await
            }
        }
    };
    let moments = cancellable(operation, ready).await?;
    std::fs::write(&away, "").map_err(Error::file("write", &away))?;
    let said = match link.tell(&Said::Go).await {
        Ok(()) => link.hear().await,
        gone => gone.map(|()| Said::Working),
    };
    match said {
        Ok(Said::Done) => {
            let since = moments.each_ref().map(Instant::elapsed);
            std::fs::rename(&away, &gone).map_err(Error::file("rename", &away))?;
            tell_of_standstill((&guest, qmp), &mut events, since).await;
            Ok(())
        }
        Err(failed @ Error::OtherEnd { .. }) => {
            remove(&away)?;
            Err(failed)
        }
        _ => Err(Error::Away { name: input.instance.name.clone() }),
    }
}

/// Sends its disk and its memory, until it stands still and all of both is there: the moments of that.
async fn mirrored(
    world: &World,
    input: &Depart,
    (guest, qmp): (&Guest, &Qmp),
    (operation, link): (&Operation, &mut Link),
    carriers: &mut JoinSet<()>,
) -> Result<[Instant; 3]> {
    let version = announced(world, input, (guest, BTreeMap::new()), operation, link).await?;
    let [disk, memory] = link.streams()?;
    let relay = listen(world, input)?;
    carriers.spawn(async move {
        let accepted = relay.accept().await.and_then(|(stream, _)| stream.into_std());
        if let Ok(stream) = accepted.and_then(|stream| Stream::new(stream.into())) {
            super::carry(&stream, disk).await;
        }
    });
    let mut mirror = link.busy(async { Ok(Mirror::start(qmp, &input.disk).await?) }).await?;
    link.busy(async { Ok(mirror.ready(|moved| report(operation, "disk", moved)).await?) }).await?;
    note(world, &input.instance, Power::Off).await?;
    send_memory(qmp, memory, (operation, link), carriers).await?;
    let still = Instant::now();
    mirror.end().await?;
    let same = Instant::now();
    if version >= SAME {
        // The target is done with what takes the disk while the rest of the memory comes.
        link.tell(&Said::Same).await?;
    }
    vm::let_go(qmp).await?;
    Ok([still, same, Instant::now()])
}

/// Sends its memory until it stands still.
pub(super) async fn send_memory(
    qmp: &Qmp,
    memory: Socket,
    (operation, link): (&Operation, &mut Link),
    carriers: &mut JoinSet<()>,
) -> Result<()> {
    let (reader, writer) = pipe()?;
    let reader = Stream::new(reader).map_err(unheard)?;
    carriers.spawn(async move { flow::send(&reader, memory).await });
    let depart = vm::depart(qmp, writer, |moved| report(operation, "memory", moved));
    link.busy(async { Ok(depart.await?) }).await
}

/// All but the disk as it is now and the memory; returns when the other server waits for these, and the version that is
/// spoken. `disks`: the bytes of those that stay where they are.
pub(super) async fn announced(
    world: &World,
    input: &Depart,
    (guest, disks): (&Guest, BTreeMap<String, u64>),
    operation: &Operation,
    link: &mut Link,
) -> Result<u32> {
    let of = input.of();
    let qmp = guest.qmp().ok_or_else(|| machine::silent(guest))?;
    let argv = vm::same_again(qmp, &guest.spec().process.argv).await?;
    let frame = Frame { argv, layout: vm::layout(qmp).await?, disks };
    let (version, driver) = send::greeted(link).await?;
    let file = super::between(world)?;
    let job = send::job(world, &of, &file, (input.without_snapshots, driver), operation)?;
    // Streams make its disk of its snapshots; else it is blank until the mirror has filled it.
    let snapshots = crate::instances::snapshots::list(world, &of.project, &of.instance)?;
    let optimized = job.optimized && !input.without_snapshots && !snapshots.is_empty();
    let job = crate::backups::Job { optimized, blank: true, ..job };
    link.busy(of.write(world, job)).await?;
    let size = file.metadata().map_err(Error::file("look at", &file))?.len();
    link.tell(&Said::Ready { version, size, machine: Some(frame) }).await?;
    link.send_file(&file, size, operation.control()).await?;
    if input.moving.is_some() {
        super::leave::send_kept(world, &of, operation, link).await?;
    }
    match link.hear().await? {
        Said::Waiting => Ok(version),
        other => Err(send::strange(&other)),
    }
}

fn report(operation: &Operation, what: &'static str, moved: Moved) {
    let percent = moved.bytes.saturating_mul(100).checked_div(moved.total).unwrap_or(100);
    let percent = u8::try_from(percent).ok();
    let progress =
        Progress { stage: what.into(), percent, bytes: moved.bytes, total: Some(moved.total) };
    operation.control().report(progress);
}

/// What QEMU finds where its mirror's other disk is to be.
fn listen(world: &World, input: &Depart) -> Result<UnixListener> {
    let io = input.folder(world).join("io");
    let socket = io.join(NBD_SOCKET);
    remove(&socket)?;
    vm::listen(&io).map_err(Error::file("listen at", &socket))
}

fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = std::io::pipe().map_err(unheard)?;
    Ok((reader.into(), writer.into()))
}

fn remove(file: &std::path::Path) -> Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::file("remove", file)(error))
        }
        _ => Ok(()),
    }
}

/// How long its guest stood still: from QEMU's word on this host to that of the other server, which may be a little
/// more than it was. `since`: that this daemon heard of it; that both disks were the same; that all of the memory was sent.
async fn tell_of_standstill(
    (guest, qmp): (&Guest, &Qmp),
    events: &mut Receiver<Event>,
    since: [Duration; 3],
) {
    let [heard, disk, memory] = since;
    let now = clock::since_1970();
    let stops = std::iter::from_fn(|| events.try_recv().ok()).filter(|event| event.name == "STOP");
    let stopped = stops.last().and_then(|event| event.timestamp.since_epoch());
    let stood = stopped.map_or(heard, |at| now.saturating_sub(at));
    // It may be gone; then nobody knows.
    let sent = vm::downtime(qmp).await.ok().flatten();
    tracing::info!(
        name = guest.name(),
        microseconds = stood.as_micros(),
        to_hear = stood.saturating_sub(heard).as_micros(),
        to_end_the_mirror = heard.saturating_sub(disk).as_micros(),
        to_send_the_rest = disk.saturating_sub(memory).as_micros(),
        to_begin_there = memory.as_micros(),
        milliseconds_of_qemu = sent,
        "it runs on another server, and stood still so long"
    );
}

/// What the row says of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Power {
    On,
    Off,
}

/// Off while it may be elsewhere soon: a host that loses its power then must not start it again by itself.
async fn note(world: &World, instance: &Instance, power: Power) -> Result<()> {
    match power {
        Power::On => start::write(world, instance).await,
        Power::Off => exit::note_stopped(world, instance).await,
    }
}

async fn remain(cx: &mut Cx<Depart>) -> Result<()> {
    if cx.input.is_away(&cx.world).await? || cx.input.folder(&cx.world).join(GONE).exists() {
        end(cx).await?;
        return left(cx).await;
    }
    let Instance { project, name, .. } = &cx.input.instance;
    if !boot::lives(&cx.world, project, name).await? {
        return Ok(());
    }
    let row = cx.world.store.read(|db| Ok::<_, Error>(rows::get(db, project, name)?))?;
    if row.is_none() {
        return Ok(());
    }
    note(&cx.world, &cx.input.instance, Power::On).await?;
    if cx.input.moving.is_none() && cx.input.folder(&cx.world).join(AWAY).exists() {
        if let Ok(guest) = cx.input.guest(&cx.world) {
            guest.set_phase(Phase::Frozen);
        }
        return Ok(());
    }
    match machine::reach(&cx.world, project, name, PATIENCE).await {
        Ok(qmp) => go_on(&qmp).await,
        // It is gone.
        Err(_) => Ok(()),
    }
}

async fn go_on(qmp: &Qmp) -> Result<()> {
    vm::stay(qmp).await?;
    let status = qmp.call(Call::new("query-status")).await?["status"].clone();
    match status.as_str() {
        Some("postmigrate" | "paused" | "finish-migrate") => {
            Ok(qmp.call(Call::new("cont")).await.map(drop)?)
        }
        _ => Ok(()),
    }
}

async fn end(cx: &mut Cx<Depart>) -> Result<()> {
    let instance = &cx.input.instance;
    let guest = cx.world.guests.get(&instance.project, &instance.name);
    let elsewhere = cx.input.moving.is_some();
    if let Some(guest) = guest.filter(|guest| guest.phase() != Phase::Gone) {
        guest.set_after(if elsewhere { After::Elsewhere } else { After::Stopped });
        let how = How { force: true, timeout: None, again: false };
        return stop::end(&cx.world, &guest, how).await;
    }
    // After a crash nobody holds it yet.
    boot::end(&cx.world, &instance.project, &instance.name).await?;
    match elsewhere {
        true => exit::clear_unseen(&cx.world, instance).await,
        false => exit::note_stopped(&cx.world, instance).await,
    }
}

async fn left(cx: &mut Cx<Depart>) -> Result<()> {
    match &cx.input.moving {
        Some((_, pool)) => {
            // What both reach is the other member's now.
            let pool = cx.input.shared.is_empty().then_some(pool.as_str());
            moves::delete_left(&cx.world, pool, &cx.input.instance).await
        }
        None => Ok(()),
    }
}
