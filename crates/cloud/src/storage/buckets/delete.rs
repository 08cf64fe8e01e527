//! Deletes a bucket with what is in it. First its row says so, and no S3 client finds it any more.

use serde::{Deserialize, Serialize};
use store::Read;
use tasks::{Cx, Step, Task, step};

use crate::{
    Caller, Error, Result, World,
    blocking::blocking,
    db::{
        backups::OF_BUCKETS,
        buckets::{self as rows, Bucket},
        instances::Made,
    },
};

/// What is done to delete a bucket.
#[derive(Serialize, Deserialize)]
pub(crate) struct Delete {
    bucket: Bucket,
}

impl Task for Delete {
    const KIND: &'static str = "bucket-delete";
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Delete>> {
        vec![
            step("mark as going", going).undo(staying),
            step("delete volume", volume).point_of_no_return(),
            step("delete backups", backups),
            step("delete rows", row),
        ]
    }
}

impl Delete {
    pub(crate) fn new(world: &World, pool: &str, project: &str, name: &str) -> Result<Delete> {
        let found = world.store.read(|db| {
            let bucket = super::find(db, &world.me(), pool, project, name)?;
            crate::backups::check_reached(world, db, OF_BUCKETS, bucket.id)?;
            Ok::<_, Error>(bucket)
        });
        Ok(Delete { bucket: found? })
    }

    /// The row, if it is there.
    fn own(&self, db: &Read<'_>) -> Result<Option<Bucket>> {
        let found = rows::by_id(db, self.bucket.id)?;
        Ok(found.filter(|row| row.created_at == self.bucket.created_at))
    }
}

/// Deletes a bucket.
pub async fn delete(
    world: &World,
    caller: &Caller,
    pool: &str,
    project: &str,
    name: &str,
) -> Result<()> {
    let task = Delete::new(world, pool, project, name)?;
    let project = task.bucket.project.clone();
    let address = super::address(pool, &project, name);
    let request = super::request("Deleting storage bucket", pool, &project, name, caller);
    world.submit(task, request)?.result().await.map_err(Error::failed)?;
    world.tell(caller, &project, "storage-bucket-deleted", address);
    Ok(())
}

async fn mark(cx: &mut Cx<Delete>, made: Made) -> Result<()> {
    let input = cx.input.clone();
    let marked = cx.world.store.write(|db| match input.own(db)? {
        Some(row) => Ok::<_, Error>(rows::set_made(db, row.id, made)?),
        None => Ok(()),
    });
    marked.await
}

async fn going(cx: &mut Cx<Delete>) -> Result<()> {
    mark(cx, Made::Deleting).await
}

async fn staying(cx: &mut Cx<Delete>) -> Result<()> {
    mark(cx, Made::Ready).await
}

async fn volume(cx: &mut Cx<Delete>) -> Result<()> {
    let (world, bucket) = (&cx.world, &cx.input.bucket);
    if world.store.read(|db| cx.input.own(db))?.is_none() {
        return Ok(());
    }
    let pool = world.pools.open(world, &bucket.pool).await?;
    let volume = super::volume(&bucket.project, &bucket.name)?;
    world.buckets.close(bucket);
    blocking("delete volume", move || pool.delete(&volume)).await
}

async fn backups(cx: &mut Cx<Delete>) -> Result<()> {
    let world = &cx.world;
    // Rows' numbers come again: files of another bucket's backups are not touched.
    match cx.world.store.read(|db| cx.input.own(db))? {
        Some(row) => crate::backups::remove_all(world, &super::backups::folder(row.id)).await,
        None => Ok(()),
    }
}

async fn row(cx: &mut Cx<Delete>) -> Result<()> {
    let input = cx.input.clone();
    let deleted = cx.world.store.write(|db| match input.own(db)? {
        Some(row) => Ok::<_, Error>(rows::delete(db, row.id)?),
        None => Ok(()),
    });
    deleted.await
}
