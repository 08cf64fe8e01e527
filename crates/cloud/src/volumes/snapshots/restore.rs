//! Puts a volume's files back to a snapshot. Its options stay as they are.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tasks::{Cx, Step, Task, step};

use super::super::{Key, config, users};
use crate::{Caller, Error, Result, World, blocking::blocking};

/// What is done to restore a volume.
#[derive(Serialize, Deserialize)]
pub(crate) struct Restore {
    key: Key,
    snapshot: String,
}

impl Task for Restore {
    const KIND: &'static str = "volume-snapshot-restore";
    type World = World;
    type Notes = ();
    type Error = Error;

    // As with instances: once the files are swapped there is no way back, so a crash is finished.
    fn steps() -> Vec<Step<Restore>> {
        vec![
            step("see that it is not mounted", unmounted),
            step("restore files", files).point_of_no_return(),
        ]
    }
}

impl Restore {
    pub(crate) fn new(world: &World, key: &Key, snapshot: &str) -> Result<Restore> {
        // Clients may also say `data/snap0`.
        let own = snapshot.strip_prefix(&key.name).and_then(|rest| rest.strip_prefix('/'));
        let snapshot = own.unwrap_or(snapshot).to_owned();
        world.store.read(|db| {
            users::check_no_depot(db, key)?;
            super::find(db, key, &snapshot)
        })?;
        Ok(Restore { key: key.clone(), snapshot })
    }
}

/// Puts a volume back to a snapshot.
pub async fn restore(world: &World, caller: &Caller, key: &Key, snapshot: &str) -> Result<()> {
    let task = Restore::new(world, key, snapshot)?;
    let name = task.snapshot.clone();
    let request = super::request("Restoring storage volume", caller, key, &name);
    world.submit(task, request)?.result().await.map_err(Error::failed)?;
    let context = Map::from_iter([("snapshot".to_owned(), Value::from(name))]);
    world.tell_with(caller, &key.project, "storage-volume-restored", key.url(), context);
    Ok(())
}

async fn unmounted(cx: &mut Cx<Restore>) -> Result<()> {
    let row = cx.world.store.read(|db| cx.input.key.find(db))?;
    users::check_not_mounted(&cx.world, &row).await
}

async fn files(cx: &mut Cx<Restore>) -> Result<()> {
    let (key, control) = (&cx.input.key, cx.control.clone());
    let row = cx.world.store.read(|db| key.find(db))?;
    let size = config::bytes(&row)?;
    let (pool, id) = (cx.world.pools.open(&cx.world, &key.pool).await?, key.on_disk()?);
    let name = cx.input.snapshot.clone();
    blocking("restore volume", move || {
        let Some(kept) = pool.snapshots() else {
            return Err(Error::Unsupported("a snapshot in a storage pool of this driver"));
        };
        kept.restore(&id, &name, &control)?;
        // The size it had then came with the files.
        Ok(pool.resize(&id, size)?)
    })
    .await
}
