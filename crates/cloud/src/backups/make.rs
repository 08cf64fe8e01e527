//! Makes a backup. Of what is written to meanwhile a copy is taken while its writers are paused, and
//! that is read: they go on at once, however long the file takes.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use storage::{Shape, VolumeId, fallback};
use store::Read;
use tasks::{Cx, Operation, Step, Task, step};

use super::{Job, Source, Wanted};
use crate::{
    Caller, Error, Result, World,
    blocking::blocking,
    compression::{self, Purpose},
    db::{backups::Backup, instances::Made},
    depots::Depot,
    instances::pause,
    projects::rules,
};

/// What is done to make a backup.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) struct Make<O: Source> {
    caller: Caller,
    #[serde(flatten)]
    owner: O,
    pool: String,
    backup: Backup,
    compression: compression::Wanted,
}

/// What the steps learn.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Notes {
    /// The instances that are paused, so that a copy is read: project and name.
    writers: Vec<(String, String)>,
}

impl<O: Source> Task for Make<O> {
    const KIND: &'static str = O::WORDS.make;
    type World = World;
    type Notes = Notes;
    type Error = Error;

    fn steps() -> Vec<Step<Make<O>>> {
        vec![
            step("write row", row::<O>).undo(delete_row::<O>),
            step("find who writes into it", writers::<O>),
            step("pause them", pause::<O>).undo(go_on::<O>),
            step("copy files", hold::<O>).undo(let_go::<O>),
            step("let them go on", go_on::<O>),
            step("write file", file::<O>).undo(delete_file::<O>),
            step("delete copy", let_go::<O>),
            step("mark row as whole", whole::<O>),
        ]
    }
}

impl<O: Source> Make<O> {
    pub(crate) fn new(
        world: &World,
        caller: &Caller,
        owner: &O,
        wanted: &Wanted,
    ) -> Result<Make<O>> {
        world.depots.path(Depot::Backups)?;
        world.store.read(|db| {
            let owner_id = owner.id(db)?;
            let end = wanted.expires_at.map(crate::snapshots::moment).transpose()?;
            let mut backup = Backup {
                id: 0,
                owner_id,
                name: name(db, owner, owner_id, &wanted.name)?,
                without_snapshots: wanted.without_snapshots,
                optimized: wanted.optimized,
                created_at: clock::utc(),
                expires_at: end.flatten(),
                made: Made::Creating,
            };
            let (project, given) = (owner.project(), &wanted.compression);
            rules::admit_backup(db, project)?;
            let pool = owner.volume(db)?.0;
            let driver = storage::driver(&crate::storage::find(db, &pool)?.driver);
            let able = driver.is_some_and(|driver| driver.info().streams);
            backup.optimized &= able;
            Ok(Make {
                caller: caller.clone(),
                owner: owner.clone(),
                pool,
                backup,
                compression: compression::Wanted::find(db, project, Purpose::Backup, given)?,
            })
        })
    }

    /// The row this task wrote, if it is there.
    fn own(&self, db: &Read<'_>) -> Result<Option<Backup>> {
        let found = O::ROWS.get(db, self.backup.owner_id, &self.backup.name)?;
        Ok(found.filter(|row| row.created_at == self.backup.created_at))
    }

    fn side(&self, world: &World) -> Result<VolumeId> {
        world.store.read(|db| self.owner.side(db, self.backup.owner_id))
    }

    /// The file, and what it is called while it is written; within the depot.
    fn paths(&self) -> [PathBuf; 2] {
        let path = |name: &str| super::path(&self.owner, self.backup.owner_id, name);
        [path(&self.backup.name), path(&format!(".{}", self.backup.name))]
    }

    fn named(&self) -> String {
        format!("{}/{}", self.owner.name(), self.backup.name)
    }
}

/// The name of a new backup: the given one, or the first that is free.
fn name<O: Source>(db: &Read<'_>, owner: &O, id: i64, given: &str) -> Result<String> {
    let others = O::ROWS.of(db, id)?;
    let taken = |name: &str| others.iter().any(|other| other.name == name);
    let name = match given {
        "" => (0..).map(|n| format!("backup{n}")).find(|name| !taken(name)),
        given => Some(given.to_owned()),
    };
    let name = name.unwrap_or_default();
    options::names::check_snapshot(&name).map_err(|why| Error::invalid("backup name", why))?;
    match taken(&name) {
        true => Err(Error::exists("backup", &format!("{}/{name}", owner.name()))),
        false => Ok(name),
    }
}

/// Makes a backup.
pub async fn make<O: Source>(
    world: &World,
    caller: &Caller,
    owner: &O,
    wanted: &Wanted,
) -> Result<Operation> {
    let task = Make::new(world, caller, owner, wanted)?;
    let name = task.backup.name.clone();
    world.submit(task, super::request(world, O::WORDS.making, caller, owner, &name))
}

async fn row<O: Source>(cx: &mut Cx<Make<O>>) -> Result<()> {
    let input = cx.input.clone();
    if cx.world.store.read(|db| input.own(db))?.is_some() {
        return Ok(());
    }
    // Files of that name are of no row: what another database left.
    for path in input.paths() {
        super::remove_kept(&cx.world, &path).await?;
    }
    let written = cx.world.store.write(|db| {
        let new = &input.backup;
        if input.owner.id(db)? != new.owner_id {
            return Err(Error::not_found(O::WORDS.owner, input.owner.name()));
        }
        if O::ROWS.get(db, new.owner_id, &new.name)?.is_some() {
            return Err(Error::exists("backup", &input.named()));
        }
        Ok(O::ROWS.insert(db, new)?)
    });
    written.await
}

async fn delete_row<O: Source>(cx: &mut Cx<Make<O>>) -> Result<()> {
    let input = cx.input.clone();
    let deleted = cx.world.store.write(|db| match input.own(db)? {
        Some(row) => Ok::<_, Error>(O::ROWS.delete(db, row.id)?),
        None => Ok(()),
    });
    deleted.await
}

async fn writers<O: Source>(cx: &mut Cx<Make<O>>) -> Result<()> {
    cx.notes.writers = cx.input.owner.writers(&cx.world).await?;
    Ok(())
}

async fn pause<O: Source>(cx: &mut Cx<Make<O>>) -> Result<()> {
    pause::all(&cx.world, &cx.notes.writers).await
}

async fn go_on<O: Source>(cx: &mut Cx<Make<O>>) -> Result<()> {
    let mut paused = cx.notes.writers.clone();
    paused.extend(cx.input.owner.itself().filter(|itself| !paused.contains(itself)));
    pause::all_go_on(&cx.world, &paused).await
}

async fn hold<O: Source>(cx: &mut Cx<Make<O>>) -> Result<()> {
    if cx.notes.writers.is_empty() {
        return Ok(());
    }
    let (input, control) = (cx.input.clone(), cx.control.clone());
    let pool = cx.world.pools.open(&cx.world, &input.pool).await?;
    let (_, volume) = cx.world.store.read(|db| input.owner.volume(db))?;
    let side = input.side(&cx.world)?;
    blocking("copy files", move || {
        if pool.exists(&side)? {
            return Ok(());
        }
        let content = pool.describe(&volume)?.content;
        let shape = Shape { content, ..Shape::filesystem() };
        match pool.clones() {
            Some(clones) => clones.clone_from(&volume, &side, &shape, &control),
            None => fallback::copy_volume((&*pool, &volume), (&*pool, &side), &shape, &control),
        }
    })
    .await
}

async fn let_go<O: Source>(cx: &mut Cx<Make<O>>) -> Result<()> {
    let pool = cx.world.pools.open(&cx.world, &cx.input.pool).await?;
    let side = cx.input.side(&cx.world)?;
    blocking("delete the copy", move || pool.delete(&side)).await
}

async fn file<O: Source>(cx: &mut Cx<Make<O>>) -> Result<()> {
    let held = super::hold(&cx.world).await?;
    let [path, part] = cx.input.paths().map(|path| held.folder().join(path));
    if path.exists() {
        return Ok(());
    }
    let Make { owner, pool, backup, compression, .. } = &*cx.input;
    let (_, volume) = cx.world.store.read(|db| owner.volume(db))?;
    let root = match cx.notes.writers.is_empty() {
        true => volume.clone(),
        false => cx.input.side(&cx.world)?,
    };
    let folder = held.make(&cx.input.owner.folder(backup.owner_id))?;
    let job = Job {
        to: part.clone(),
        kept: None,
        pool: pool.clone(),
        volume,
        root,
        without_snapshots: backup.without_snapshots,
        optimized: backup.optimized,
        blank: false,
        packing: compression.parsed()?,
        control: cx.control.clone(),
    };
    owner.write(&cx.world, job).await?;
    blocking("keep backup", move || {
        std::fs::rename(&part, &path).map_err(Error::file("keep", &path))?;
        crate::disk::sync(&folder)
    })
    .await
}

async fn delete_file<O: Source>(cx: &mut Cx<Make<O>>) -> Result<()> {
    if cx.world.store.read(|db| cx.input.own(db))?.is_none() {
        return Ok(());
    }
    for path in cx.input.paths() {
        match super::remove_kept(&cx.world, &path).await {
            // The next backup of that name removes it.
            Err(Error::NoDepot { .. }) => {}
            removed => removed?,
        }
    }
    Ok(())
}

async fn whole<O: Source>(cx: &mut Cx<Make<O>>) -> Result<()> {
    let input = cx.input.clone();
    let marked = cx.world.store.write(|db| match input.own(db)? {
        Some(row) => Ok(O::ROWS.set_made(db, row.id, Made::Ready)?),
        None => Err(Error::not_found("backup", &input.backup.name)),
    });
    marked.await?;
    let Make { caller, owner, backup, .. } = &*cx.input;
    let [event, ..] = O::WORDS.events;
    cx.world.tell(caller, owner.project(), event, owner.url(&backup.name));
    Ok(())
}
