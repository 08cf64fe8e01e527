//! The memory of a machine, kept beside its disk while it does not run, or in a snapshot.
//!
//! ```text
//! stands still ── state.new/ ── state/            durable, then the machine ends (or goes on, and state/ goes)
//! starts: QEMU has read it ── the row says so ── state.used/ ── first instruction ── gone
//! ```
//! It belongs to the disk as it is at that moment: from the first instruction on it must never be read again.
//! Until `state.used/` it is whole, and a start is undone; from then on a start only goes forward.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read, Write},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use vm::{Call, Layout, Qmp};

use super::super::{boot, guests::Guest, snapshots};
use crate::{
    Error, Result, World,
    blocking::blocking,
    db::instances::{self as rows, Instance},
    disk,
};

/// What QEMU that never ran the machine answers within.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it is asked before that is left for later.
const TRIES: u32 = 5;
/// Bytes that are moved at a time.
const PIECE: usize = 1 << 20;

/// What QEMU must be given to go on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Frame {
    /// Its arguments.
    pub(crate) argv: Vec<String>,
    /// Where disks and cards were.
    #[serde(default)]
    pub(crate) layout: Layout,
    /// Bytes of the disks that it has where it is and where it goes, by their devices.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) disks: BTreeMap<String, u64>,
}

/// The places in the folder of a root.
pub(crate) struct Places {
    folder: PathBuf,
}

impl Places {
    pub(crate) async fn of(world: &World, instance: &Instance) -> Result<Places> {
        let (project, name) = (&instance.project, &instance.name);
        let pool = world.store.read(|db| snapshots::pool_of(db, project, name))?;
        let (pool, root) = (world.pools.open(world, &pool).await?, instance.root()?);
        let folder = blocking("find root", move || pool.folder(&root)).await?;
        Ok(Places { folder })
    }

    fn now(&self) -> PathBuf {
        self.folder.join("state")
    }

    fn half(&self) -> PathBuf {
        self.folder.join("state.new")
    }

    fn used(&self) -> PathBuf {
        self.folder.join("state.used")
    }

    /// Whether there is any.
    pub(crate) fn exists(&self) -> bool {
        self.now().join("memory").is_file()
    }

    /// What QEMU must be given.
    pub(crate) fn frame(&self) -> Result<Frame> {
        let file = self.now().join("machine.json");
        let text = fs::read(&file).map_err(Error::file("read", &file))?;
        serde_json::from_slice(&text)
            .map_err(|error| Error::file("understand", &file)(error.into()))
    }

    /// Removes all of it, for good.
    pub(crate) fn forget(&self) -> Result<()> {
        let mut any = false;
        for folder in [self.now(), self.half(), self.used()] {
            any |= folder.exists();
            disk::remove_folder(&folder)?;
        }
        if any { self.sync() } else { Ok(()) }
    }

    fn sync(&self) -> Result<()> {
        disk::sync(&self.folder)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        disk::remove_folder(to)?;
        fs::rename(from, to).map_err(Error::file("rename", from))?;
        self.sync()
    }
}

/// Keeps the memory of a machine that runs, which stands still from then on; where that fails it is as before.
pub(crate) async fn save(
    world: &World,
    guest: &Guest,
    instance: &Instance,
    limit: Option<u64>,
) -> Result<()> {
    let qmp = guest.qmp().ok_or_else(|| super::silent(guest))?;
    let places = Places::of(world, instance).await?;
    let status = qmp.call(Call::new("query-status")).await?["status"].clone();
    if status == "postmigrate" && places.exists() {
        // The step ran before.
        return Ok(());
    }
    let argv = vm::same_again(qmp, &guest.spec().process.argv).await?;
    let frame = Frame { argv, layout: vm::layout(qmp).await?, ..Frame::default() };
    qmp.call(Call::new("stop")).await?;
    let saved = write(qmp, places, &frame, limit).await;
    if saved.is_err() && status == "running" {
        qmp.call(Call::new("cont")).await?;
    }
    saved
}

async fn write(qmp: &Qmp, places: Places, frame: &Frame, limit: Option<u64>) -> Result<()> {
    let text = serde_json::to_vec(frame)
        .map_err(|error| Error::file("write", &places.half().join("machine.json"))(error.into()))?;
    let (reader, writer) = pipe(&places.folder)?;
    let pump = blocking("keep memory", move || {
        places.forget()?;
        let new = places.half();
        let (machine, memory) = (new.join("machine.json"), new.join("memory"));
        fs::create_dir(&new).map_err(Error::file("make", &new))?;
        disk::write(&machine, &text)?;
        let file = File::create_new(&memory).map_err(Error::file("create", &memory))?;
        pump(reader.into(), &file, limit).map_err(Error::file("write", &memory))?;
        file.sync_all().map_err(Error::file("sync", &memory))?;
        disk::sync(&new)?;
        Ok::<_, Error>(places)
    });
    let (saved, kept) = tokio::join!(vm::save(qmp, writer), pump);
    match (saved, kept) {
        (Ok(()), kept) => {
            let places = kept?;
            places.rename(&places.half(), &places.now())
        }
        // Who reads has given up first, and says why.
        (Err(_), Err(why)) => Err(why),
        (Err(error), Ok(places)) => {
            places.forget()?;
            Err(error.into())
        }
    }
}

fn pipe(at: &Path) -> Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = io::pipe().map_err(Error::file("make a pipe for", at))?;
    Ok((reader.into(), writer.into()))
}

/// Moves all that comes, up to so many bytes.
fn pump(mut from: File, mut to: impl Write, limit: Option<u64>) -> io::Result<()> {
    let (mut piece, mut moved) = (vec![0; PIECE], 0);
    loop {
        let read = match from.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        if read == 0 {
            return Ok(());
        }
        moved += read as u64;
        if let Some(limit) = limit.filter(|limit| moved > *limit) {
            let why = format!("it takes more than the {limit} bytes of size.state");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
        }
        to.write_all(&piece[..read])?;
    }
}

/// Lets QEMU that waits for it read the memory; the machine stands still.
pub(crate) async fn load(world: &World, qmp: &Qmp, instance: &Instance) -> Result<()> {
    let places = Places::of(world, instance).await?;
    let (reader, writer) = pipe(&places.folder)?;
    let memory = places.now().join("memory");
    let feed = blocking("read memory", move || {
        let file = File::open(&memory).map_err(Error::file("open", &memory))?;
        let fed = pump(file, File::from(writer), None);
        // QEMU gave up, and says why.
        let gone = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
        match fed {
            Err(error) if !gone(&error) => Err(Error::file("read", &memory)(error)),
            _ => Ok(()),
        }
    });
    let (loaded, fed) = tokio::join!(vm::load(qmp, reader), feed);
    fed.map_err(unreadable(instance))?;
    loaded.map_err(|error| unreadable(instance)(error.into()))
}

/// Memory that is of no use, and what can be done.
pub(super) fn unreadable(instance: &Instance) -> impl Fn(Error) -> Error {
    |source| Error::Memory { name: instance.name.clone(), source: Box::new(source) }
}

/// Lets a machine go that has read its memory, and forgets that; says whether the memory is whole still, as
/// where QEMU was gone before.
pub(crate) async fn go(world: &World, instance: &Instance) -> Result<bool> {
    let places = Places::of(world, instance).await?;
    let (project, name) = (&instance.project, &instance.name);
    for _ in 0..TRIES {
        if !boot::lives(world, project, name).await? {
            let whole = places.exists();
            if !whole {
                places.forget()?;
            }
            return Ok(whole);
        }
        // Somebody else may be about to find it again, and talk with it.
        if let Ok(qmp) = super::power::reach(world, project, name, PATIENCE).await {
            if places.exists() {
                places.rename(&places.now(), &places.used())?;
            }
            qmp.call(Call::new("cont")).await?;
            places.forget()?;
            return Ok(false);
        }
    }
    Err(Error::State {
        name: name.clone(),
        is: "a virtual machine that does not answer",
        hint: "it is tried again",
    })
}

/// Lets a machine that stands still because it was saved run on, and forgets what was saved. `frozen`: it stands
/// still because a client says so.
pub(crate) async fn take_back(world: &World, instance: &Instance, frozen: bool) -> Result<()> {
    Places::of(world, instance).await?.forget()?;
    match super::power::reach(world, &instance.project, &instance.name, PATIENCE).await {
        Ok(qmp) if !frozen => {
            let status = qmp.call(Call::new("query-status")).await?["status"].clone();
            match status == "postmigrate" || status == "paused" {
                true => Ok(qmp.call(Call::new("cont")).await.map(drop)?),
                false => Ok(()),
            }
        }
        // It is gone.
        _ => Ok(()),
    }
}

/// Forgets what was saved of one that does not run: its disk is about to be another.
pub(crate) async fn drop_saved(world: &World, instance: &Instance) -> Result<()> {
    if instance.kind() != super::Kind::VirtualMachine {
        return Ok(());
    }
    let places = Places::of(world, instance).await?;
    // The row first: what it says is kept must be there.
    let (id, project, name) = (instance.id, &instance.project, &instance.name);
    let row = world.store.read(|db| Ok::<_, Error>(rows::get(db, project, name)?))?;
    if row.is_some_and(|row| row.stateful) {
        let written = world.store.write(|db| Ok::<_, Error>(rows::set_stateful(db, id, false)?));
        written.await?;
    }
    places.forget()
}
