//! Renames a snapshot of a volume.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tasks::{Cx, Operation, Step, Task, step};

use super::super::{Key, users::Uses};
use crate::{Caller, Error, Result, World, db::volume_snapshots as rows, snapshots};

/// What is done to rename a snapshot.
#[derive(Serialize, Deserialize)]
pub(crate) struct Rename {
    caller: Caller,
    key: Key,
    /// The row's key: undos touch no other snapshot of these names.
    id: i64,
    from: String,
    to: String,
}

impl Task for Rename {
    const KIND: &'static str = "volume-snapshot-rename";
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Rename>> {
        vec![
            step("rename row", row).undo(row_back),
            step("rename files", files).undo(files_back),
            step("tell", tell),
        ]
    }
}

impl Rename {
    pub(crate) fn new(
        world: &World,
        caller: &Caller,
        key: &Key,
        from: &str,
        to: &str,
    ) -> Result<Rename> {
        options::names::check_snapshot(to).map_err(|why| Error::invalid("snapshot name", why))?;
        world.store.read(|db| {
            let (volume, snapshot) = super::find(db, key, from)?;
            if rows::get(db, volume.id, to)?.is_some() {
                return Err(Error::exists("snapshot", &format!("{}/{to}", key.name)));
            }
            // A device that names it would not find it at the next start.
            Uses::read(db)?.check_snapshot_free(key, from)?;
            let (from, to) = (from.to_owned(), to.to_owned());
            Ok(Rename { caller: caller.clone(), key: key.clone(), id: snapshot.id, from, to })
        })
    }
}

/// Renames a snapshot.
pub async fn rename(
    world: &World,
    caller: &Caller,
    key: &Key,
    from: &str,
    to: &str,
) -> Result<Operation> {
    let task = Rename::new(world, caller, key, from, to)?;
    world.submit(task, super::request("Renaming storage volume snapshot", caller, key, from))
}

async fn move_row(cx: &Cx<Rename>, from: &str, to: &str) -> Result<()> {
    let Rename { key, id, .. } = &*cx.input;
    let moved = cx.world.store.write(|db| {
        let volume = key.find(db)?;
        match rows::get(db, volume.id, to)? {
            Some(row) if row.id == *id => return Ok(()),
            Some(_) => return Err(Error::exists("snapshot", &format!("{}/{to}", key.name))),
            None => {}
        }
        match rows::get(db, volume.id, from)? {
            Some(row) if row.id == *id => Ok(rows::rename(db, *id, to)?),
            _ => Err(Error::not_found("snapshot", &format!("{}/{from}", key.name))),
        }
    });
    moved.await
}

/// Whether the new name is this snapshot's, and no other's.
fn is_renamed(cx: &Cx<Rename>) -> Result<bool> {
    let Rename { key, id, to, .. } = &*cx.input;
    cx.world.store.read(|db| {
        let volume = key.find(db)?;
        Ok(rows::get(db, volume.id, to)?.is_some_and(|row| row.id == *id))
    })
}

async fn row(cx: &mut Cx<Rename>) -> Result<()> {
    move_row(cx, &cx.input.from, &cx.input.to).await
}

async fn row_back(cx: &mut Cx<Rename>) -> Result<()> {
    match is_renamed(cx)? {
        true => move_row(cx, &cx.input.to, &cx.input.from).await,
        false => Ok(()),
    }
}

async fn move_files(cx: &Cx<Rename>, from: String, to: String) -> Result<()> {
    super::on_disk(&cx.world, &cx.input.key, "rename snapshot", move |kept, volume| {
        snapshots::rename(kept, volume, &from, &to)
    })
    .await
}

async fn files(cx: &mut Cx<Rename>) -> Result<()> {
    move_files(cx, cx.input.from.clone(), cx.input.to.clone()).await
}

async fn files_back(cx: &mut Cx<Rename>) -> Result<()> {
    match is_renamed(cx)? {
        true => move_files(cx, cx.input.to.clone(), cx.input.from.clone()).await,
        false => Ok(()),
    }
}

async fn tell(cx: &mut Cx<Rename>) -> Result<()> {
    let Rename { caller, key, from, to, .. } = &*cx.input;
    let source = super::address(key, to);
    let context = Map::from_iter([("old_name".to_owned(), Value::from(from.as_str()))]);
    let action = "storage-volume-snapshot-renamed";
    cx.world.tell_with(caller, &key.project, action, source, context);
    Ok(())
}
