//! Makes an instance of a backup: one that this server wrote, or LXD.

use std::path::{Path, PathBuf};

use exec::Control;
use images::{Limits, backup::Index};
use serde::{Deserialize, Serialize};
use storage::{Content, Shape, VolumeId};
use tasks::{Cx, Operation, Step, Task, step};

use super::draft::{Draft, draft};
use crate::{
    Caller, Error, Result, World,
    blocking::blocking,
    db::{
        instance_snapshots::{self as snapshots, Snapshot},
        instances::{self as rows, Instance, Made},
        volumes,
    },
    instances::{boot::root_volume, copy, delete, launch},
    storage::OpenPool,
    url,
};

/// A backup as a client sent it.
#[derive(Clone, Debug, Default)]
pub struct Upload {
    /// The file, in the cache folder.
    pub file: PathBuf,
    /// The name for the instance, if it is another.
    pub name: Option<String>,
    /// The pool for it, if it is another.
    pub pool: Option<String>,
}

/// What is done to make an instance of a backup.
#[derive(Serialize, Deserialize)]
pub(crate) struct Import {
    caller: Caller,
    file: PathBuf,
    instance: Instance,
    snapshots: Vec<Snapshot>,
    pool: String,
    size: Option<u64>,
}

impl Task for Import {
    const KIND: &'static str = "instance-import";
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Import>> {
        vec![
            step("write rows", write_rows).undo(delete_rows),
            step("unpack root", root).undo(delete_root),
            step("unpack snapshots", kept).undo(delete_side),
            step("mark rows as whole", whole),
        ]
    }
}

impl Import {
    pub(crate) async fn new(
        world: &World,
        caller: &Caller,
        project: &str,
        upload: &Upload,
    ) -> Result<Import> {
        let file = upload.file.clone();
        let index =
            blocking("look into backup", move || Index::of(&file, &Control::none())).await?;
        let wanted = (upload.name.as_deref(), upload.pool.as_deref());
        let drafted = world.store.read(|db| draft(db, world, project, &index, wanted))?;
        let Draft { instance, snapshots, pool, size } = drafted;
        let (caller, file) = (caller.clone(), upload.file.clone());
        Ok(Import { caller, file, instance, snapshots, pool, size })
    }

    /// The row this task wrote, if it is there.
    fn own(&self, db: &store::Read<'_>) -> Result<Option<Instance>> {
        let found = rows::get(db, &self.instance.project, &self.instance.name)?;
        Ok(found.filter(|row| row.created_at == self.instance.created_at))
    }

    fn volume(&self) -> Result<VolumeId> {
        root_volume(&self.instance.project, &self.instance.name)
    }

    /// A volume on its way to become a snapshot. No instance can be called so.
    fn side(&self) -> Result<VolumeId> {
        let root = self.volume()?;
        Ok(VolumeId::new(root.kind, format!("{}@new", root.name))?)
    }
}

/// Makes an instance of a backup. The file is the operation's once this returns without an error.
pub async fn import(
    world: &World,
    caller: &Caller,
    project: &str,
    upload: &Upload,
) -> Result<Operation> {
    let task = Import::new(world, caller, project, upload).await?;
    let (words, name) = ("Restoring backup", &task.instance.name);
    let request = crate::instances::request(world, words, caller, project, name);
    world.submit(task, request)
}

async fn write_rows(cx: &mut Cx<Import>) -> Result<()> {
    let (input, world) = (cx.input.clone(), cx.world.clone());
    let written = cx.world.store.write(|db| {
        if input.own(db)?.is_some() {
            return Ok(());
        }
        let new = &input.instance;
        if rows::get(db, &new.project, &new.name)?.is_some() {
            return Err(Error::exists("instance", &new.name));
        }
        let new = copy::draft::completed(db, &world.host, new)?;
        rows::insert(db, &new, &crate::profiles::home(db, &new.project)?)?;
        volumes::insert(db, &launch::volume_row(&new, &input.pool))?;
        let id = input.own(db)?.map(|row| row.id).unwrap_or_default();
        for snapshot in &input.snapshots {
            let made = Made::Ready;
            let snapshot = Snapshot { instance_id: id, made, ..snapshot.clone() };
            snapshots::insert(db, &snapshot)?;
        }
        Ok(())
    });
    written.await
}

async fn delete_rows(cx: &mut Cx<Import>) -> Result<()> {
    let input = cx.input.clone();
    let deleted = cx.world.store.write(|db| {
        if let Some(row) = input.own(db)? {
            volumes::delete(db, &row.project, &row.kind, &row.name)?;
            rows::delete(db, &row.project, &row.name)?;
        }
        Ok::<_, Error>(())
    });
    deleted.await?;
    super::remove(cx.input.file.clone()).await
}

/// Makes a volume of a part of the file. No more is unpacked than there is room.
fn unpack(
    pool: &OpenPool,
    volume: &VolumeId,
    file: &Path,
    part: &str,
    size: Option<u64>,
    control: &Control,
) -> storage::Result<()> {
    let room = pool.usage()?;
    let limits = Limits::of_backup(room.total.saturating_sub(room.used));
    let shape = Shape { content: Content::Filesystem, size, plain: true };
    let mut fill = |into: &Path| {
        images::unpack_instance(file, Path::new(part), into, &limits, control)?;
        Ok(())
    };
    pool.create(volume, &shape, Some(&mut fill), control)
}

async fn root(cx: &mut Cx<Import>) -> Result<()> {
    let (input, control) = (cx.input.clone(), cx.control.clone());
    let pool = cx.world.pools.open(&cx.world, &input.pool).await?;
    let volume = input.volume()?;
    blocking("unpack root", move || match pool.exists(&volume)? {
        true => Ok(()),
        false => unpack(&pool, &volume, &input.file, "backup/container", input.size, &control),
    })
    .await
}

async fn delete_root(cx: &mut Cx<Import>) -> Result<()> {
    match cx.world.store.read(|db| cx.input.own(db))? {
        Some(row) => {
            delete::delete_volume(&cx.world, &cx.input.pool, &row.project, &row.name).await
        }
        None => Ok(()),
    }
}

async fn kept(cx: &mut Cx<Import>) -> Result<()> {
    let (input, control) = (cx.input.clone(), cx.control.clone());
    let pool = cx.world.pools.open(&cx.world, &input.pool).await?;
    let (volume, side) = (input.volume()?, input.side()?);
    blocking("unpack snapshots", move || {
        for Snapshot { name, .. } in &input.snapshots {
            let Some(snapshots) = pool.snapshots() else {
                return Err(Error::Unsupported("a snapshot in a storage pool of this driver"));
            };
            if snapshots.list(&volume)?.contains(name) {
                continue;
            }
            pool.delete(&side)?;
            let part = format!("backup/snapshots/{name}");
            unpack(&pool, &side, &input.file, &part, input.size, &control)?;
            snapshots.adopt(&side, &volume, name)?;
        }
        Ok(())
    })
    .await
}

async fn delete_side(cx: &mut Cx<Import>) -> Result<()> {
    if cx.world.store.read(|db| cx.input.own(db))?.is_none() {
        return Ok(());
    }
    let pool = cx.world.pools.open(&cx.world, &cx.input.pool).await?;
    let side = cx.input.side()?;
    blocking("delete what is half unpacked", move || pool.delete(&side)).await
}

async fn whole(cx: &mut Cx<Import>) -> Result<()> {
    let (project, name) = (&cx.input.instance.project, &cx.input.instance.name);
    let marked = cx.world.store.write(|db| match cx.input.own(db)? {
        Some(_) => Ok(rows::set_made(db, project, name, Made::Ready)?),
        None => Err(Error::not_found("instance", name)),
    });
    marked.await?;
    super::remove(cx.input.file.clone()).await?;
    cx.world.tell(&cx.input.caller, project, "instance-created", url::instance(project, name));
    Ok(())
}
