//! Deletes a storage pool.

use serde::{Deserialize, Serialize};
use tasks::{Cx, Request, Step, Task, step};

use super::everywhere;
use crate::{
    Caller, Error, Result, World,
    blocking::blocking,
    db::{
        instances::Made,
        pools::{self as rows, Pool},
    },
    url,
};

/// What is done to delete a pool. It only goes forward.
#[derive(Serialize, Deserialize)]
pub(crate) struct Delete {
    name: String,
}

impl Task for Delete {
    const KIND: &'static str = "pool-delete";
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Delete>> {
        vec![step("unmake pool", unmake).point_of_no_return(), step("delete row", row)]
    }
}

impl Delete {
    pub(crate) fn new(world: &World, name: &str) -> Result<Delete> {
        let name = name.to_owned();
        world.store.read(|db| {
            super::find(db, &name)?;
            match super::users(db, &name)?.into_iter().next() {
                Some(by) => Err(Error::InUse { what: "storage pool", name, by }),
                None => Ok(Delete { name }),
            }
        })
    }
}

/// Deletes a pool that nothing uses.
pub async fn delete(world: &World, caller: &Caller, name: &str) -> Result<()> {
    let task = Delete::new(world, name)?;
    let row = world.store.read(|db| super::find(db, name))?;
    let (driver, spec) = (super::driver(&row.driver)?, super::spec(world, &row)?);
    // A task that has begun could only wait until it can go on.
    blocking("look into pool", move || driver.check_delete(&spec)).await?;
    let source = url::of("storage-pools", name, crate::names::DEFAULT_PROJECT);
    let request = Request::new("Deleting storage pool")
        .resource("storage-pools", source.clone())
        .requestor(caller.requestor.clone())
        .lock(format!("pool/{name}"));
    world.submit(task, request)?.result().await.map_err(Error::failed)?;
    everywhere::until_gone(world, name).await?;
    world.tell(caller, crate::names::DEFAULT_PROJECT, "storage-pool-deleted", source);
    Ok(())
}

/// Removes from this member a pool that goes everywhere.
pub(crate) async fn remove_here(world: &World, name: &str) -> Result<()> {
    let task = Delete { name: name.to_owned() };
    let request = Request::new("Deleting storage pool").lock(format!("pool/{name}"));
    world.submit(task, request)?.result().await.map_err(Error::failed)
}

/// Removes this server's part of a pool of a cluster that it left, if nothing is in it; lets go of one that the others
/// share.
pub(crate) async fn abandon(world: &World, row: &Pool) -> Result<()> {
    let _turn = world.pools.turn(world, &row.name).await;
    let (driver, spec) = (super::driver(&row.driver)?, super::spec(world, row)?);
    if driver.info().remote {
        world.pools.go(&row.name);
        return blocking("close pool", move || Ok::<_, Error>(driver.close(&spec)?)).await;
    }
    let looked = spec.clone();
    blocking("look into pool", move || driver.check_delete(&looked)).await?;
    world.pools.go(&row.name);
    blocking("unmake pool", move || driver.delete(&spec)).await
}

/// Removes this member's part of a pool that the others keep, with the volumes of images that are in it; done twice, it
/// is done.
pub(super) async fn vacate(world: &World, row: &Pool) -> Result<()> {
    if !super::is_shared(&row.driver) {
        crate::images::drop_volumes_in(world, &row.name).await?;
    }
    abandon(world, row).await?;
    world.store.write(|db| Ok::<_, Error>(rows::delete(db, &row.name)?)).await?;
    world.pools.forget(&row.name);
    world.pools.stay(&row.name);
    Ok(())
}

async fn unmake(cx: &mut Cx<Delete>) -> Result<()> {
    let (world, name) = (&cx.world, &cx.input.name);
    let Some(row) = world.store.read(|db| Ok::<_, Error>(rows::get(db, name)?))? else {
        return Ok(());
    };
    if world.is_clustered() {
        // The other members see that theirs is to go.
        let going =
            |db: &mut store::Write<'_>| Ok::<_, Error>(rows::set_whole(db, name, Made::Deleting)?);
        world.store.write(going).await?;
    }
    // Nobody opens it while it goes.
    let _turn = world.pools.turn(world, name).await;
    world.pools.go(name);
    let (driver, spec) = (super::driver(&row.driver)?, super::spec(world, &row)?);
    let gone = blocking("unmake pool", move || driver.delete(&spec)).await;
    if gone.is_err() {
        world.pools.stay(name);
    }
    gone
}

async fn row(cx: &mut Cx<Delete>) -> Result<()> {
    let input = cx.input.clone();
    cx.world.store.write(|db| Ok::<_, Error>(rows::delete(db, &input.name)?)).await?;
    // Somebody may have looked for it meanwhile.
    cx.world.pools.forget(&input.name);
    cx.world.pools.stay(&input.name);
    Ok(())
}
