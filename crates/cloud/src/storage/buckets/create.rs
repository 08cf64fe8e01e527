//! Makes a bucket, with a key to it.

use chrono::{DateTime, SubsecRound, Utc};
use options::{BucketOptions, Options, Raw};
use serde::{Deserialize, Serialize};
use storage::{Shape, VolumeId};
use store::Read;
use tasks::{Cx, Step, Task, step};
use wire::{StorageBucketKey, StorageBucketsPost};

use super::keys;
use crate::{
    Caller, Error, Result, World,
    blocking::blocking,
    db::{
        buckets::{self as rows, Bucket, Key, Role},
        instances::Made,
    },
    projects,
    projects::rules,
    storage::OpenPool,
};

/// What is done to make a bucket.
#[derive(Serialize, Deserialize)]
pub(crate) struct Create {
    bucket: Bucket,
    key: Key,
}

impl Task for Create {
    const KIND: &'static str = "bucket-create";
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Create>> {
        vec![
            step("write rows", write).undo(delete_rows),
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
        new: StorageBucketsPost,
    ) -> Result<Create> {
        let bucket = world.store.read(|db| draft(db, world, (pool, project), new))?;
        let key = Key {
            id: 0,
            bucket_id: 0,
            name: String::from("admin"),
            description: String::from("Admin user"),
            role: Role::Admin,
            access: keys::new_access(),
            secret: keys::new_secret(),
        };
        Ok(Create { bucket, key })
    }
}

/// The row of a new bucket.
pub(super) fn draft(
    db: &Read<'_>,
    world: &World,
    (pool, project): (&str, &str),
    new: StorageBucketsPost,
) -> Result<Bucket> {
    options::names::check_bucket(&new.name).map_err(|why| Error::invalid("bucket name", why))?;
    let config: Raw = new.config.into();
    BucketOptions::parse(&config)?;
    super::super::find(db, pool)?;
    check_free(db, &world.me(), &new.name)?;
    Ok(Bucket {
        id: 0,
        pool: pool.to_owned(),
        project: super::home(db, project)?,
        member: world.me(),
        name: new.name,
        description: new.description,
        config,
        created_at: clock::utc(),
        made: Made::Creating,
    })
}

/// The row that was written of it, if it is there.
fn own(db: &Read<'_>, bucket: &Bucket) -> Result<Option<Bucket>> {
    let found = rows::get(db, &bucket.member, &bucket.name)?;
    Ok(found.filter(|row| row.created_at == bucket.created_at))
}

/// Makes a bucket, and gives a key with which all can be done in it.
pub async fn create(
    world: &World,
    caller: &Caller,
    pool: &str,
    project: &str,
    new: StorageBucketsPost,
) -> Result<StorageBucketKey> {
    let task = Create::new(world, pool, project, new)?;
    let (bucket, key) = (task.bucket.clone(), task.key.clone());
    let address = super::address(pool, &bucket.project, &bucket.name);
    let words = "Creating storage bucket";
    let request = super::request(words, pool, &bucket.project, &bucket.name, caller);
    world.submit(task, request)?.result().await.map_err(Error::failed)?;
    world.tell(caller, &bucket.project, "storage-bucket-created", address);
    Ok(keys::render(key))
}

fn check_free(db: &Read<'_>, member: &str, name: &str) -> Result<()> {
    match rows::get(db, member, name)? {
        Some(_) => Err(Error::exists("storage bucket", name)),
        None => Ok(()),
    }
}

/// Writes the row of a new bucket, and those of its keys.
pub(super) async fn write_rows(world: &World, bucket: &Bucket, keys: &[Key]) -> Result<()> {
    let written = world.store.write(|db| {
        if own(db, bucket)?.is_some() {
            return Ok(());
        }
        check_free(db, &bucket.member, &bucket.name)?;
        projects::find(db, &bucket.project)?;
        rows::insert(db, bucket)?;
        rules::keep(db, &bucket.project)?;
        let bucket_id = own(db, bucket)?.map_or(0, |row| row.id);
        for key in keys {
            super::keys::check_free(db, key)?;
            rows::insert_key(db, &Key { bucket_id, ..key.clone() })?;
        }
        Ok::<_, Error>(())
    });
    written.await
}

/// Deletes the rows that were written of it.
pub(super) async fn delete_own_rows(world: &World, bucket: &Bucket) -> Result<()> {
    let deleted = world.store.write(|db| match own(db, bucket)? {
        Some(row) => Ok::<_, Error>(rows::delete(db, row.id)?),
        None => Ok(()),
    });
    deleted.await
}

/// The volume of a bucket, and its pool.
pub(super) async fn place(world: &World, bucket: &Bucket) -> Result<(VolumeId, OpenPool)> {
    let pool = world.pools.open(world, &bucket.pool).await?;
    Ok((super::volume(&bucket.project, &bucket.name)?, pool))
}

/// Deletes the volume that was made for it.
pub(super) async fn delete_own_volume(world: &World, bucket: &Bucket) -> Result<()> {
    let ((volume, pool), since) = (place(world, bucket).await?, bucket.created_at);
    blocking("unmake volume", move || {
        match pool.exists(&volume)? && made(&pool.describe(&volume)?, since) {
            true => pool.delete(&volume),
            false => Ok(()),
        }
    })
    .await
}

/// Notes that it is there.
pub(super) async fn mark_ready(world: &World, bucket: &Bucket) -> Result<()> {
    let marked = world.store.write(|db| match own(db, bucket)? {
        Some(row) => Ok(rows::set_made(db, row.id, Made::Ready)?),
        None => Err(Error::not_found("storage bucket", &bucket.name)),
    });
    marked.await
}

async fn write(cx: &mut Cx<Create>) -> Result<()> {
    write_rows(&cx.world, &cx.input.bucket, std::slice::from_ref(&cx.input.key)).await
}

async fn delete_rows(cx: &mut Cx<Create>) -> Result<()> {
    delete_own_rows(&cx.world, &cx.input.bucket).await
}

async fn make(cx: &mut Cx<Create>) -> Result<()> {
    let (bucket, control) = (&cx.input.bucket, cx.control.clone());
    let ((volume, pool), since) = (place(&cx.world, bucket).await?, bucket.created_at);
    blocking("make volume", move || {
        // Made when this step ran before; an older one is somebody's objects without their row.
        match pool.exists(&volume)? && pool.describe(&volume).is_ok_and(|it| made(&it, since)) {
            true => Ok(()),
            false => pool.create(&volume, &Shape::filesystem(), None, &control),
        }
    })
    .await
}

async fn unmake(cx: &mut Cx<Create>) -> Result<()> {
    delete_own_volume(&cx.world, &cx.input.bucket).await
}

/// Whether a volume was made at that time or later. It is noted by the second.
fn made(volume: &storage::VolumeInfo, since: DateTime<Utc>) -> bool {
    DateTime::<Utc>::from(volume.created) >= since.trunc_subsecs(0)
}

async fn ready(cx: &mut Cx<Create>) -> Result<()> {
    mark_ready(&cx.world, &cx.input.bucket).await
}
