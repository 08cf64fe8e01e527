//! Deletes a network.

use serde::{Deserialize, Serialize};
use store::Read;
use tasks::{Cx, Request, Step, Task, step};

use super::spec;
use crate::{
    Caller, Error, Result, World, db::networks as rows, disk::absent_is_done,
    names::DEFAULT_PROJECT, url,
};

/// What is done to delete a network. It only goes forward.
#[derive(Serialize, Deserialize)]
pub(crate) struct Delete {
    home: String,
    name: String,
}

impl Task for Delete {
    const KIND: &'static str = "network-delete";
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Delete>> {
        vec![step("unmake network", unmake).point_of_no_return(), step("delete row", row)]
    }
}

impl Delete {
    pub(crate) fn new(world: &World, project: &str, name: &str) -> Result<Delete> {
        let name = name.to_owned();
        world.store.read(|db| {
            let row = super::find(db, project, &name)?;
            match super::users(db, &row)?.into_iter().next() {
                Some(by) => Err(Error::InUse { what: "network", name, by }),
                None => Ok(Delete { home: row.project, name }),
            }
        })
    }
}

/// Deletes a network that nothing uses. One of which members were only told is forgotten.
pub async fn delete(world: &World, caller: &Caller, project: &str, name: &str) -> Result<()> {
    let is_pending = |db: &Read<'_>| {
        Ok::<_, Error>(super::home(db, project)? == DEFAULT_PROJECT && super::is_pending(db, name)?)
    };
    if world.store.read(is_pending)? {
        return world.store.write(|db| Ok::<_, Error>(rows::unpromise(db, name)?)).await;
    }
    let task = Delete::new(world, project, name)?;
    let (home, source) = (task.home.clone(), url::of("networks", name, &task.home));
    let request = Request::new("Deleting network")
        .project(project)
        .resource("networks", source.clone())
        .requestor(caller.requestor.clone())
        .lock(format!("network/{name}"));
    world.submit(task, request)?.result().await.map_err(Error::failed)?;
    world.tell(caller, &home, "network-deleted", source);
    Ok(())
}

async fn unmake(cx: &mut Cx<Delete>) -> Result<()> {
    let (world, input) = (&cx.world, &cx.input);
    let row = world.store.read(|db| Ok::<_, Error>(rows::get(db, &input.home, &input.name)?))?;
    let Some(row) = row else { return Ok(()) };
    world.plane.teardown(&spec::of(world, &row)?).await?;
    remove_folder(world, &input.name).await
}

/// Removes what this server kept of a network: its leases.
pub(crate) async fn remove_folder(world: &World, name: &str) -> Result<()> {
    let folder = world.dirs.network(name);
    absent_is_done(tokio::fs::remove_dir_all(&folder).await, "remove", &folder)
}

async fn row(cx: &mut Cx<Delete>) -> Result<()> {
    let (world, input) = (cx.world.clone(), cx.input.clone());
    let row = world.store.read(|db| Ok::<_, Error>(rows::get(db, &input.home, &input.name)?))?;
    world.store.write(|db| Ok::<_, Error>(rows::delete(db, &input.home, &input.name)?)).await?;
    // A repair that still saw the row may have made link and folder anew; none that comes later sees it.
    let Some(row) = row else { return Ok(()) };
    let _turn = super::repairing(&world, &row.name).await;
    world.plane.teardown(&spec::of(&world, &row)?).await?;
    remove_folder(&world, &row.name).await
}
