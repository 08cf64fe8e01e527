//! Makes a custom volume.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
};

use exec::Control;
use options::VolumeOptions;
use serde::{Deserialize, Serialize};
use storage::{Content, FillError, Pool, Shape, VolumeId};
use tasks::{Cx, Step, Task, step};
use wire::StorageVolumesPost;

use super::{Key, config};
use crate::{
    Caller, Error, Result, World,
    blocking::blocking,
    db::{
        instances::Made,
        volume_snapshots::{self as snapshot_rows, Snapshot},
        volumes::{self as rows, Volume},
    },
    projects::rules,
};

/// What is done to make a volume.
#[derive(Serialize, Deserialize)]
pub(crate) struct Create {
    volume: Volume,
}

impl Task for Create {
    const KIND: &'static str = "volume-create";
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Create>> {
        vec![
            step("write row", row).undo(delete_row),
            step("make volume", make).undo(unmake),
            step("mark as made", ready),
        ]
    }
}

impl Create {
    pub(crate) fn new(
        world: &World,
        pool: &str,
        project: &str,
        new: StorageVolumesPost,
    ) -> Result<Create> {
        options::names::check_volume(&new.name)
            .map_err(|why| Error::invalid("volume name", why))?;
        let (content, _) = config::content(&new.content_type)?;
        world.store.read(|db| {
            let of = crate::storage::find(db, pool)?;
            let key = Key::of(db, pool, project, &new.name)?;
            if key.row(db)?.is_some() {
                return Err(Error::exists("storage volume", &new.name));
            }
            let mut options = new.config.into();
            config::complete(&mut options, &of.config, content);
            config::check(&options, content, &of)?;
            let volume = draft(world, &key, content, options, new.description);
            Ok(Create { volume })
        })
    }
}

/// The row of a volume that is about to be made.
pub(super) fn draft(
    world: &World,
    key: &Key,
    content: &str,
    config: options::Raw,
    description: String,
) -> Volume {
    let Key { pool, project, name } = key.clone();
    Volume {
        id: 0,
        pool,
        project,
        member: world.me(),
        kind: String::from("custom"),
        name,
        content: content.to_owned(),
        description,
        config,
        created_at: clock::utc(),
        made: Made::Creating,
    }
}

/// The row a task wrote for a new volume, if it is there: no other has its identity.
pub(super) fn own(db: &store::Read<'_>, new: &Volume) -> Result<Option<Volume>> {
    let found = super::key_of(new).row(db)?;
    let uuid = "volatile.uuid";
    Ok(found.filter(|row| row.config.get(uuid) == new.config.get(uuid)))
}

/// Makes a custom volume.
pub async fn create(
    world: &World,
    caller: &Caller,
    pool: &str,
    project: &str,
    kind: &str,
    new: StorageVolumesPost,
) -> Result<()> {
    super::custom(kind)?;
    let task = Create::new(world, pool, project, new)?;
    let key = super::key_of(&task.volume);
    check_free_on_disk(world, &key).await?;
    let request = key.request("Creating storage volume", caller).uncancellable();
    world.submit(task, request)?.result().await.map_err(Error::failed)?;
    key.tell(world, caller, "storage-volume-created");
    Ok(())
}

/// Refuses what is on disk without a row: an undo could not tell it from its own.
pub(super) async fn check_free_on_disk(world: &World, key: &Key) -> Result<()> {
    let (pool, id) = (world.pools.open(world, &key.pool).await?, key.on_disk()?);
    match blocking("find volume", move || pool.exists(&id)).await? {
        true => Err(Error::exists("volume on disk, unknown to the database,", &key.name)),
        false => Ok(()),
    }
}

async fn row(cx: &mut Cx<Create>) -> Result<()> {
    write_row(&cx.world, &cx.input.volume).await
}

/// Writes the row of a volume that is being made; run again it finds its own.
pub(super) async fn write_row(world: &World, new: &Volume) -> Result<()> {
    let key = super::key_of(new);
    world
        .store
        .write(|db| match key.row(db)? {
            None => {
                rows::insert(db, new)?;
                rules::keep(db, &new.project)
            }
            Some(_) if own(db, new)?.is_some() => Ok(()),
            Some(_) => Err(Error::exists("storage volume", &key.name)),
        })
        .await
}

/// The same with the rows of its snapshots.
pub(super) async fn write_rows(world: &World, new: &Volume, snapshots: &[Snapshot]) -> Result<()> {
    write_row(world, new).await?;
    let written = world.store.write(|db| {
        let id = own(db, new)?.map(|row| row.id).unwrap_or_default();
        for one in snapshots {
            if snapshot_rows::get(db, id, &one.name)?.is_none() {
                snapshot_rows::insert(db, &Snapshot { volume_id: id, ..one.clone() })?;
            }
        }
        Ok::<_, Error>(())
    });
    written.await
}

async fn delete_row(cx: &mut Cx<Create>) -> Result<()> {
    delete_own_row(&cx.world, &cx.input.volume).await
}

pub(super) async fn delete_own_row(world: &World, new: &Volume) -> Result<()> {
    let deleted = world.store.write(|db| match own(db, new)? {
        Some(row) => Ok::<_, Error>(rows::remove(db, row.id)?),
        None => Ok(()),
    });
    deleted.await
}

async fn make(cx: &mut Cx<Create>) -> Result<()> {
    let (key, content) = (super::key_of(&cx.input.volume), cx.input.volume.content.clone());
    let options = super::typed(&cx.input.volume.config)?;
    let (pool, id) = (cx.world.pools.open(&cx.world, &key.pool).await?, key.on_disk()?);
    let (_, content) = config::content(&content)?;
    let shape = config::shape(&cx.input.volume.config, content)?;
    let control = cx.control.clone();
    blocking("make volume", move || on_disk(&*pool, &id, &options, &shape, &control)).await
}

/// Makes the files; a volume that is there is this one.
fn on_disk(
    pool: &dyn Pool,
    id: &VolumeId,
    options: &VolumeOptions,
    shape: &Shape,
    control: &Control,
) -> storage::Result<()> {
    if pool.exists(id)? {
        return Ok(());
    }
    let mut own = |folder: &Path| give(folder, options);
    match shape.content {
        Content::Filesystem => pool.create(id, shape, Some(&mut own), control),
        Content::Block | Content::Iso => pool.create(id, shape, None, control),
    }
}

/// Gives a new volume's folder its owner and mode.
fn give(folder: &Path, options: &VolumeOptions) -> Result<(), FillError> {
    chown(folder, Some(options.initial_uid), Some(options.initial_gid))?;
    fs::set_permissions(folder, Permissions::from_mode(options.initial_mode.bits()))?;
    Ok(())
}

async fn unmake(cx: &mut Cx<Create>) -> Result<()> {
    delete_own_files(&cx.world, &cx.input.volume).await
}

pub(super) async fn delete_own_files(world: &World, new: &Volume) -> Result<()> {
    if world.store.read(|db| own(db, new))?.is_none() {
        return Ok(());
    }
    let key = super::key_of(new);
    let (pool, id) = (world.pools.open(world, &key.pool).await?, key.on_disk()?);
    blocking("unmake volume", move || pool.delete(&id)).await
}

async fn ready(cx: &mut Cx<Create>) -> Result<()> {
    mark_ready(&cx.world, &cx.input.volume).await
}

pub(super) async fn mark_ready(world: &World, new: &Volume) -> Result<()> {
    let marked = world.store.write(|db| match own(db, new)? {
        Some(row) => Ok(rows::set_made(db, row.id, Made::Ready)?),
        None => Err(Error::not_found("storage volume", &new.name)),
    });
    marked.await
}
