//! Renames a snapshot.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tasks::{Cx, Operation, Step, Task, step};

use crate::{Caller, Error, Result, World, db::instance_snapshots as rows, snapshots};

/// What is done to rename a snapshot.
#[derive(Serialize, Deserialize)]
pub(crate) struct Rename {
    caller: Caller,
    project: String,
    instance: String,
    /// The row's key: undos touch no other snapshot of these names.
    id: i64,
    from: String,
    to: String,
}

impl Task for Rename {
    const KIND: &'static str = "instance-snapshot-rename";
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
        project: &str,
        instance: &str,
        from: &str,
        to: &str,
    ) -> Result<Rename> {
        options::names::check_snapshot(to).map_err(|why| Error::invalid("snapshot name", why))?;
        world.store.read(|db| {
            let (there, snapshot) = super::find(db, project, instance, from)?;
            if rows::get(db, there.id, to)?.is_some() {
                return Err(Error::exists("snapshot", &format!("{instance}/{to}")));
            }
            Ok(Rename {
                caller: caller.clone(),
                project: project.to_owned(),
                instance: instance.to_owned(),
                id: snapshot.id,
                from: from.to_owned(),
                to: to.to_owned(),
            })
        })
    }
}

/// Renames a snapshot.
pub async fn rename(
    world: &World,
    caller: &Caller,
    project: &str,
    instance: &str,
    from: &str,
    to: &str,
) -> Result<Operation> {
    let task = Rename::new(world, caller, project, instance, from, to)?;
    let request = super::request(world, "Renaming snapshot", caller, project, instance, from);
    world.submit(task, request)
}

async fn move_row(cx: &Cx<Rename>, from: &str, to: &str) -> Result<()> {
    let Rename { project, instance, id, .. } = &*cx.input;
    let moved = cx.world.store.write(|db| {
        let there = crate::instances::find(db, project, instance)?;
        match rows::get(db, there.id, to)? {
            Some(row) if row.id == *id => return Ok(()),
            Some(_) => return Err(Error::exists("snapshot", &format!("{instance}/{to}"))),
            None => {}
        }
        match rows::get(db, there.id, from)? {
            Some(row) if row.id == *id => Ok(rows::rename(db, *id, to)?),
            _ => Err(Error::not_found("snapshot", &format!("{instance}/{from}"))),
        }
    });
    moved.await
}

/// Whether the new name is this snapshot's, and no other's.
fn is_renamed(cx: &Cx<Rename>) -> Result<bool> {
    let Rename { project, instance, id, to, .. } = &*cx.input;
    cx.world.store.read(|db| {
        let there = crate::instances::find(db, project, instance)?;
        Ok(rows::get(db, there.id, to)?.is_some_and(|row| row.id == *id))
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
    let Rename { project, instance, .. } = &*cx.input;
    super::on_disk(&cx.world, project, instance, "rename snapshot", move |kept, volume| {
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
    let Rename { caller, project, instance, from, to, .. } = &*cx.input;
    let source = super::address(project, instance, to);
    let context = Map::from_iter([("old_name".to_owned(), Value::from(from.as_str()))]);
    cx.world.tell_with(caller, project, "instance-snapshot-renamed", source, context);
    Ok(())
}
