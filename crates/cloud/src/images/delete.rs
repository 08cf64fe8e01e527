//! Deletes an image. Instances made of it keep what they need.

use serde::{Deserialize, Serialize};
use tasks::{Cx, Operation, Request, Step, Task, step};

use super::{files, volume};
use crate::{
    Caller, Error, Result, World,
    db::{images as rows, instances::Made, pools},
    url,
};

/// What is done to delete an image. It only goes forward.
#[derive(Serialize, Deserialize)]
pub(crate) struct Delete {
    caller: Caller,
    home: String,
    fingerprint: String,
}

impl Task for Delete {
    const KIND: &'static str = "image-delete";
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Delete>> {
        vec![
            step("delete row", row).point_of_no_return(),
            step("delete volumes", volumes),
            step("delete files", drop_files),
        ]
    }
}

impl Delete {
    pub(crate) fn new(
        world: &World,
        caller: &Caller,
        project: &str,
        fingerprint: &str,
    ) -> Result<Delete> {
        let row = world.store.read(|db| super::find(db, project, fingerprint))?;
        let (home, fingerprint) = (row.project, row.fingerprint);
        Ok(Delete { caller: caller.clone(), home, fingerprint })
    }
}

/// Deletes an image.
pub fn delete(
    world: &World,
    caller: &Caller,
    project: &str,
    fingerprint: &str,
) -> Result<Operation> {
    let task = Delete::new(world, caller, project, fingerprint)?;
    let request = Request::new("Deleting image")
        .project(project)
        .resource("images", url::of("images", &task.fingerprint, &task.home))
        .requestor(caller.requestor.clone())
        .lock(format!("image/{}/{}", task.home, task.fingerprint))
        // One that is deleted already, by a client that does not wait for it, is deleted all the same.
        .wait_when_busy();
    world.submit(task, request)
}

async fn row(cx: &mut Cx<Delete>) -> Result<()> {
    let input = cx.input.clone();
    cx.world
        .store
        .write(|db| Ok::<_, Error>(rows::delete(db, &input.home, &input.fingerprint)?))
        .await?;
    let source = url::of("images", &input.fingerprint, &input.home);
    cx.world.tell(&input.caller, &input.home, "image-deleted", source);
    Ok(())
}

async fn volumes(cx: &mut Cx<Delete>) -> Result<()> {
    drop_volumes(&cx.world, &cx.input.fingerprint).await
}

async fn drop_files(cx: &mut Cx<Delete>) -> Result<()> {
    files::drop_unused(&cx.world, &cx.input.fingerprint).await
}

/// Takes back the images whose rows a task wrote.
pub(super) async fn take_back(world: &World, task: &str) -> Result<()> {
    let own = world.store.read(|db| {
        let all = rows::all(db)?.into_iter();
        Ok::<_, Error>(all.filter(|row| row.source.task == task).collect::<Vec<_>>())
    })?;
    for row in own {
        let gone = |db: &mut store::Write<'_>| {
            Ok::<_, Error>(rows::delete(db, &row.project, &row.fingerprint)?)
        };
        world.store.write(gone).await?;
        drop_all(world, &row.fingerprint).await?;
    }
    Ok(())
}

/// Removes the volumes and files of an image that no project has.
pub(crate) async fn drop_all(world: &World, fingerprint: &str) -> Result<()> {
    drop_volumes(world, fingerprint).await?;
    files::drop_unused(world, fingerprint).await
}

/// Removes the volumes of all images from a pool of this member; they are made again when they are needed.
pub(crate) async fn drop_volumes_in(world: &World, pool: &str) -> Result<()> {
    for row in world.store.read(|db| Ok::<_, Error>(rows::all(db)?))? {
        volume::delete(world, pool, &row.fingerprint).await?;
    }
    Ok(())
}

/// Removes it from every pool, unless another project has it too.
async fn drop_volumes(world: &World, fingerprint: &str) -> Result<()> {
    let (pools, shared) = world.store.read(|db| {
        let shared = rows::all(db)?.iter().any(|row| row.fingerprint == fingerprint);
        Ok::<_, Error>((pools::all(db)?, shared))
    })?;
    if !shared {
        for pool in pools.into_iter().filter(|pool| pool.made == Made::Ready) {
            volume::delete(world, &pool.name, fingerprint).await?;
        }
    }
    Ok(())
}
