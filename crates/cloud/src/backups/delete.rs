//! Deletes a backup.

use serde::{Deserialize, Serialize};
use tasks::{Cx, Operation, Step, Task, step};

use super::Owner;
use crate::{Caller, Error, Result, World, depots::Depot};

/// What is done to delete a backup. It only goes forward: one without its file is no use.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) struct Delete<O: Owner> {
    caller: Caller,
    #[serde(flatten)]
    owner: O,
    name: String,
}

impl<O: Owner> Task for Delete<O> {
    const KIND: &'static str = O::WORDS.delete;
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Delete<O>>> {
        vec![step("delete file", file::<O>).point_of_no_return(), step("delete row", row::<O>)]
    }
}

impl<O: Owner> Delete<O> {
    pub(crate) fn new(world: &World, caller: &Caller, owner: &O, name: &str) -> Result<Delete<O>> {
        world.store.read(|db| super::find(db, owner, name))?;
        world.depots.path(Depot::Backups)?;
        Ok(Delete { caller: caller.clone(), owner: owner.clone(), name: name.to_owned() })
    }
}

/// Deletes a backup.
pub async fn delete<O: Owner>(
    world: &World,
    caller: &Caller,
    owner: &O,
    name: &str,
) -> Result<Operation> {
    let task = Delete::new(world, caller, owner, name)?;
    world.submit(task, super::request(world, "Deleting backup", caller, owner, name))
}

/// Deletes a backup whose time is over, once its owner is free.
pub(crate) async fn expire<O: Owner>(world: &World, owner: &O, name: &str) -> Result<()> {
    let caller = Caller::default();
    let task = Delete::new(world, &caller, owner, name)?;
    let request = super::request(world, "Deleting expired backup", &caller, owner, name);
    world.submit(task, request.wait_when_busy())?.result().await.map_err(Error::failed)
}

async fn file<O: Owner>(cx: &mut Cx<Delete<O>>) -> Result<()> {
    let Delete { owner, name, .. } = &*cx.input;
    let id = cx.world.store.read(|db| owner.id(db))?;
    super::remove_kept(&cx.world, &super::path(owner, id, name)).await
}

async fn row<O: Owner>(cx: &mut Cx<Delete<O>>) -> Result<()> {
    let Delete { caller, owner, name } = &*cx.input;
    let deleted = cx.world.store.write(|db| match O::ROWS.get(db, owner.id(db)?, name)? {
        Some(row) => Ok::<_, Error>(O::ROWS.delete(db, row.id)?),
        None => Ok(()),
    });
    deleted.await?;
    let [_, event, ..] = O::WORDS.events;
    cx.world.tell(caller, owner.project(), event, owner.url(name));
    Ok(())
}
