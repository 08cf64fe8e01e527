//! Deletes a custom volume that nobody uses, with its snapshots.

use serde::{Deserialize, Serialize};
use tasks::{Cx, Step, Task, step};

use super::{Key, Uses, users};
use crate::{
    Caller, Error, Result, World,
    blocking::blocking,
    db::{backups::OF_VOLUMES, instances::Made, volumes as rows},
};

/// What is done to delete a volume. Once it is marked nobody can begin to use it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Delete {
    key: Key,
    id: i64,
}

impl Task for Delete {
    const KIND: &'static str = "volume-delete";
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Delete>> {
        vec![
            step("mark as going", mark).undo(unmark),
            step("see that it is not mounted", unmounted),
            step("delete files", files).point_of_no_return(),
            step("delete backups", backups),
            step("delete row", row),
        ]
    }
}

impl Delete {
    pub(crate) fn new(world: &World, pool: &str, project: &str, name: &str) -> Result<Delete> {
        world.store.read(|db| {
            let key = Key::of(db, pool, project, name)?;
            let row = key.find(db)?;
            Uses::read(db)?.check_free(&key)?;
            crate::backups::check_reached(world, db, OF_VOLUMES, row.id)?;
            Ok(Delete { key, id: row.id })
        })
    }
}

/// Deletes a custom volume.
pub async fn delete(
    world: &World,
    caller: &Caller,
    pool: &str,
    project: &str,
    kind: &str,
    name: &str,
) -> Result<()> {
    super::custom(kind)?;
    let task = Delete::new(world, pool, project, name)?;
    let key = task.key.clone();
    let request = key.request("Deleting storage volume", caller);
    world.submit(task, request)?.result().await.map_err(Error::failed)?;
    key.tell(world, caller, "storage-volume-deleted");
    Ok(())
}

async fn mark(cx: &mut Cx<Delete>) -> Result<()> {
    let Delete { key, id } = &*cx.input;
    let marked = cx.world.store.write(|db| {
        let row = key.row(db)?.filter(|row| row.id == *id);
        if row.is_none() {
            return Err(Error::not_found("storage volume", &key.name));
        }
        Uses::read(db)?.check_free(key)?;
        Ok(rows::set_made(db, *id, Made::Deleting)?)
    });
    marked.await
}

async fn unmark(cx: &mut Cx<Delete>) -> Result<()> {
    let id = cx.input.id;
    cx.world.store.write(|db| Ok::<_, Error>(rows::set_made(db, id, Made::Ready)?)).await
}

async fn unmounted(cx: &mut Cx<Delete>) -> Result<()> {
    let key = &cx.input.key;
    match cx.world.store.read(|db| key.row(db))? {
        Some(row) => users::check_not_mounted(&cx.world, &row).await,
        None => Ok(()),
    }
}

async fn files(cx: &mut Cx<Delete>) -> Result<()> {
    let key = &cx.input.key;
    let (pool, id) = (cx.world.pools.open(&cx.world, &key.pool).await?, key.on_disk()?);
    blocking("delete volume", move || pool.delete(&id)).await
}

async fn backups(cx: &mut Cx<Delete>) -> Result<()> {
    crate::backups::remove_all(&cx.world, &super::backups::folder(cx.input.id)).await
}

async fn row(cx: &mut Cx<Delete>) -> Result<()> {
    let id = cx.input.id;
    cx.world.store.write(|db| Ok::<_, Error>(rows::remove(db, id)?)).await
}
