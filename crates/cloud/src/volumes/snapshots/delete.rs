//! Deletes a snapshot of a volume.

use serde::{Deserialize, Serialize};
use tasks::{Cx, Operation, Step, Task, step};

use super::super::{Key, users::Uses};
use crate::{Caller, Error, Result, World, db::volume_snapshots as rows};

/// What is done to delete a snapshot. It only goes forward: one without its files is no use.
#[derive(Serialize, Deserialize)]
pub(crate) struct Delete {
    caller: Caller,
    key: Key,
    name: String,
}

impl Task for Delete {
    const KIND: &'static str = "volume-snapshot-delete";
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Delete>> {
        vec![step("delete files", files).point_of_no_return(), step("delete row", row)]
    }
}

impl Delete {
    pub(crate) fn new(world: &World, caller: &Caller, key: &Key, name: &str) -> Result<Delete> {
        world.store.read(|db| {
            super::find(db, key, name)?;
            Uses::read(db)?.check_snapshot_free(key, name)
        })?;
        Ok(Delete { caller: caller.clone(), key: key.clone(), name: name.to_owned() })
    }
}

/// Deletes a snapshot.
pub async fn delete(world: &World, caller: &Caller, key: &Key, name: &str) -> Result<Operation> {
    let task = Delete::new(world, caller, key, name)?;
    world.submit(task, super::request("Deleting storage volume snapshot", caller, key, name))
}

/// Deletes a snapshot whose time is over, once its volume is free.
pub(crate) async fn expire(world: &World, key: &Key, name: &str) -> Result<()> {
    let caller = Caller::default();
    let task = Delete::new(world, &caller, key, name)?;
    let request = super::request("Deleting expired snapshot", &caller, key, name);
    world.submit(task, request.wait_when_busy())?.result().await.map_err(Error::failed)
}

async fn files(cx: &mut Cx<Delete>) -> Result<()> {
    let input = cx.input.clone();
    super::on_disk(&cx.world, &cx.input.key, "delete snapshot", move |kept, volume| {
        kept.delete(volume, &input.name)
    })
    .await
}

async fn row(cx: &mut Cx<Delete>) -> Result<()> {
    let Delete { caller, key, name } = &*cx.input;
    let deleted = cx.world.store.write(|db| {
        let Some(volume) = key.row(db)? else { return Ok(()) };
        match rows::get(db, volume.id, name)? {
            Some(row) => Ok::<_, Error>(rows::delete(db, row.id)?),
            None => Ok(()),
        }
    });
    deleted.await?;
    let source = super::address(key, name);
    cx.world.tell(caller, &key.project, "storage-volume-snapshot-deleted", source);
    Ok(())
}
