//! Makes a bucket, with a key to it.

use chrono::{DateTime, SubsecRound, Utc};
use options::{BucketOptions, Options, Raw};
use serde::{Deserialize, Serialize};
use storage::Shape;
use store::Read;
use tasks::{Cx, Request, Step, Task, step};
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
        options::names::check_bucket(&new.name)
            .map_err(|why| Error::invalid("bucket name", why))?;
        let config: Raw = new.config.into();
        BucketOptions::parse(&config)?;
        let project = world.store.read(|db| {
            super::super::find(db, pool)?;
            check_free(db, &world.me, &new.name)?;
            super::home(db, project)
        })?;
        let bucket = Bucket {
            id: 0,
            pool: pool.to_owned(),
            project,
            member: world.me.clone(),
            name: new.name,
            description: new.description,
            config,
            created_at: Utc::now(),
            made: Made::Creating,
        };
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

    /// The row this task wrote, if it is there.
    fn own(&self, db: &Read<'_>) -> Result<Option<Bucket>> {
        let found = rows::get(db, &self.bucket.member, &self.bucket.name)?;
        Ok(found.filter(|row| row.created_at == self.bucket.created_at))
    }
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
    let request = Request::new("Creating storage bucket")
        .project(bucket.project.clone())
        .resource("storage_buckets", address.clone())
        .requestor(caller.requestor.clone())
        .share(format!("pool/{pool}"))
        .lock(super::lock_name(&bucket.name));
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

async fn write(cx: &mut Cx<Create>) -> Result<()> {
    let input = cx.input.clone();
    cx.world
        .store
        .write(|db| {
            if input.own(db)?.is_some() {
                return Ok(());
            }
            check_free(db, &input.bucket.member, &input.bucket.name)?;
            projects::find(db, &input.bucket.project)?;
            rows::insert(db, &input.bucket)?;
            let bucket_id = input.own(db)?.map_or(0, |row| row.id);
            Ok(rows::insert_key(db, &Key { bucket_id, ..input.key.clone() })?)
        })
        .await
}

async fn delete_rows(cx: &mut Cx<Create>) -> Result<()> {
    let input = cx.input.clone();
    let deleted = cx.world.store.write(|db| match input.own(db)? {
        Some(row) => Ok::<_, Error>(rows::delete(db, row.id)?),
        None => Ok(()),
    });
    deleted.await
}

async fn make(cx: &mut Cx<Create>) -> Result<()> {
    let (bucket, control) = (&cx.input.bucket, cx.control.clone());
    let pool = cx.world.pools.open(&cx.world, &bucket.pool).await?;
    let (volume, since) = (super::volume(&bucket.project, &bucket.name)?, bucket.created_at);
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
    let bucket = &cx.input.bucket;
    let pool = cx.world.pools.open(&cx.world, &bucket.pool).await?;
    let (volume, since) = (super::volume(&bucket.project, &bucket.name)?, bucket.created_at);
    blocking("unmake volume", move || {
        match pool.exists(&volume)? && made(&pool.describe(&volume)?, since) {
            true => pool.delete(&volume),
            false => Ok(()),
        }
    })
    .await
}

/// Whether a volume was made at that time or later. It is noted by the second.
fn made(volume: &storage::VolumeInfo, since: DateTime<Utc>) -> bool {
    DateTime::<Utc>::from(volume.created) >= since.trunc_subsecs(0)
}

async fn ready(cx: &mut Cx<Create>) -> Result<()> {
    let input = cx.input.clone();
    let marked = cx.world.store.write(|db| match input.own(db)? {
        Some(row) => Ok(rows::set_made(db, row.id, Made::Ready)?),
        None => Err(Error::not_found("storage bucket", &input.bucket.name)),
    });
    marked.await
}
