//! Makes a backup. Of an instance that runs a copy is taken while it is paused, and that is read: it
//! goes on at once, however long the file takes.

use chrono::Utc;
use serde::{Deserialize, Serialize};
use storage::{Content, Shape, VolumeId, fallback};
use tasks::{Cx, Operation, Step, Task, step};
use wire::InstanceBackupsPost;

use super::contents;
use crate::{
    Caller, Error, Result, World,
    blocking::blocking,
    compression::{Purpose, Wanted},
    db::{
        instance_backups::{self as rows, Backup},
        instances::Made,
    },
    instances::{boot::root_volume, guests::Phase, pause, snapshots},
};

/// What is done to make a backup.
#[derive(Serialize, Deserialize)]
pub(crate) struct Make {
    caller: Caller,
    project: String,
    instance: String,
    pool: String,
    backup: Backup,
    compression: Wanted,
}

/// What the steps learn.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Notes {
    /// It runs, so that a copy is read.
    runs: bool,
}

impl Task for Make {
    const KIND: &'static str = "instance-backup-make";
    type World = World;
    type Notes = Notes;
    type Error = Error;

    fn steps() -> Vec<Step<Make>> {
        vec![
            step("write row", row).undo(delete_row),
            step("pause instance", pause).undo(go_on),
            step("copy root", hold).undo(let_go),
            step("resume instance", go_on),
            step("write file", file).undo(delete_file),
            step("delete copy", let_go),
            step("mark row as whole", whole),
        ]
    }
}

impl Make {
    pub(crate) fn new(
        world: &World,
        caller: &Caller,
        project: &str,
        instance: &str,
        post: &InstanceBackupsPost,
    ) -> Result<Make> {
        world.store.read(|db| {
            let row = crate::instances::find(db, project, instance)?;
            let others = rows::of_instance(db, row.id)?;
            let taken = |name: &str| others.iter().any(|other| other.name == name);
            let name = match post.name.as_str() {
                "" => (0..).map(|n| format!("backup{n}")).find(|name| !taken(name)),
                given => Some(given.to_owned()),
            };
            let name = name.unwrap_or_default();
            options::names::check_snapshot(&name)
                .map_err(|why| Error::invalid("backup name", why))?;
            if taken(&name) {
                return Err(Error::exists("backup", &format!("{instance}/{name}")));
            }
            let end = post.expires_at.map(crate::snapshots::moment).transpose()?;
            let given = &post.compression_algorithm;
            let backup = Backup {
                id: 0,
                instance_id: row.id,
                name,
                instance_only: post.instance_only || post.container_only,
                // No driver has a form of its own: what is asked for so is a plain tarball.
                optimized: false,
                created_at: Utc::now(),
                expires_at: end.flatten(),
                made: Made::Creating,
            };
            Ok(Make {
                caller: caller.clone(),
                project: project.to_owned(),
                instance: instance.to_owned(),
                pool: snapshots::pool_of(db, project, instance)?,
                backup,
                compression: Wanted::find(db, project, Purpose::Backup, given)?,
            })
        })
    }

    /// The row this task wrote, if it is there.
    fn own(&self, db: &store::Read<'_>) -> Result<Option<Backup>> {
        let found = rows::get(db, self.backup.instance_id, &self.backup.name)?;
        Ok(found.filter(|row| row.created_at == self.backup.created_at))
    }

    /// The copy of a root that is read. No instance can be called so.
    fn side(&self) -> Result<VolumeId> {
        let root = root_volume(&self.project, &self.instance)?;
        Ok(VolumeId::new(root.kind, format!("{}@backup", root.name))?)
    }
}

/// Makes a backup.
pub async fn make(
    world: &World,
    caller: &Caller,
    project: &str,
    instance: &str,
    post: &InstanceBackupsPost,
) -> Result<Operation> {
    let task = Make::new(world, caller, project, instance, post)?;
    let name = &task.backup.name;
    let request = super::request(world, "Backing up instance", caller, project, instance, name);
    world.submit(task, request)
}

async fn row(cx: &mut Cx<Make>) -> Result<()> {
    let input = cx.input.clone();
    let written = cx.world.store.write(|db| {
        if input.own(db)?.is_some() {
            return Ok(());
        }
        let (instance, new) = (&input.instance, &input.backup);
        let there = crate::instances::find(db, &input.project, instance)?;
        if there.id != new.instance_id {
            return Err(Error::not_found("instance", instance));
        }
        if rows::get(db, there.id, &new.name)?.is_some() {
            return Err(Error::exists("backup", &format!("{instance}/{}", new.name)));
        }
        Ok(rows::insert(db, new)?)
    });
    written.await
}

async fn delete_row(cx: &mut Cx<Make>) -> Result<()> {
    let input = cx.input.clone();
    let deleted = cx.world.store.write(|db| match input.own(db)? {
        Some(row) => Ok::<_, Error>(rows::delete(db, row.id)?),
        None => Ok(()),
    });
    deleted.await
}

async fn pause(cx: &mut Cx<Make>) -> Result<()> {
    let Make { project, instance, .. } = &*cx.input;
    let guest = cx.world.guests.get(project, instance);
    cx.notes.runs = guest.is_some_and(|guest| guest.phase() != Phase::Gone);
    pause::pause(&cx.world, project, instance).await
}

async fn go_on(cx: &mut Cx<Make>) -> Result<()> {
    pause::go_on(&cx.world, &cx.input.project, &cx.input.instance).await
}

async fn hold(cx: &mut Cx<Make>) -> Result<()> {
    if !cx.notes.runs {
        return Ok(());
    }
    let (input, control) = (cx.input.clone(), cx.control.clone());
    let pool = cx.world.pools.open(&cx.world, &input.pool).await?;
    let (root, side) = (root_volume(&input.project, &input.instance)?, input.side()?);
    blocking("copy root", move || {
        if pool.exists(&side)? {
            return Ok(());
        }
        let shape = Shape { content: Content::Filesystem, size: None, plain: false };
        match pool.clones() {
            Some(clones) => clones.clone_from(&root, &side, &shape, &control),
            None => fallback::copy_volume((&*pool, &root), (&*pool, &side), &shape, &control),
        }
    })
    .await
}

async fn let_go(cx: &mut Cx<Make>) -> Result<()> {
    let pool = cx.world.pools.open(&cx.world, &cx.input.pool).await?;
    let side = cx.input.side()?;
    blocking("delete the copy of a root", move || pool.delete(&side)).await
}

/// The file, and what it is called while it is written.
fn paths(cx: &Cx<Make>) -> [std::path::PathBuf; 2] {
    let Make { project, instance, backup, .. } = &*cx.input;
    let path = |name: &str| super::path(&cx.world, project, instance, name);
    [path(&backup.name), path(&format!(".{}", backup.name))]
}

async fn file(cx: &mut Cx<Make>) -> Result<()> {
    let [path, part] = paths(cx);
    if path.exists() {
        return Ok(());
    }
    let Make { project, instance, backup, compression, .. } = &*cx.input;
    let index = contents::index(&cx.world, project, instance, backup.instance_only).await?;
    let volume = root_volume(project, instance)?;
    let root = if cx.notes.runs { cx.input.side()? } else { volume.clone() };
    let pool = cx.world.pools.open(&cx.world, &cx.input.pool).await?;
    let source = contents::Source { pool, volume, root };
    let (how, control) = (compression.parsed()?, cx.control.clone());
    blocking("write backup", move || {
        let folder = path.parent().unwrap_or(&path);
        std::fs::create_dir_all(folder).map_err(Error::file("make", folder))?;
        source.write(&index, &part, how, &control)?;
        std::fs::rename(&part, &path).map_err(Error::file("keep", &path))?;
        let synced = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(Error::file("sync", folder))
    })
    .await
}

async fn delete_file(cx: &mut Cx<Make>) -> Result<()> {
    if cx.world.store.read(|db| cx.input.own(db))?.is_none() {
        return Ok(());
    }
    for path in paths(cx) {
        super::remove(path).await?;
    }
    Ok(())
}

async fn whole(cx: &mut Cx<Make>) -> Result<()> {
    let input = cx.input.clone();
    let marked = cx.world.store.write(|db| match input.own(db)? {
        Some(row) => Ok(rows::set_made(db, row.id, Made::Ready)?),
        None => Err(Error::not_found("backup", &input.backup.name)),
    });
    marked.await?;
    let Make { caller, project, instance, backup, .. } = &*cx.input;
    let source = super::address(project, instance, &backup.name);
    cx.world.tell(caller, project, "instance-backup-created", source);
    Ok(())
}
