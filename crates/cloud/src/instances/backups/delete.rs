//! Deletes a backup.

use serde::{Deserialize, Serialize};
use tasks::{Cx, Operation, Step, Task, step};

use crate::{Caller, Error, Result, World, db::instance_backups as rows};

/// What is done to delete a backup. It only goes forward: one without its file is no use.
#[derive(Serialize, Deserialize)]
pub(crate) struct Delete {
    caller: Caller,
    project: String,
    instance: String,
    name: String,
}

impl Task for Delete {
    const KIND: &'static str = "instance-backup-delete";
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Delete>> {
        vec![step("delete file", file).point_of_no_return(), step("delete row", row)]
    }
}

impl Delete {
    pub(crate) fn new(
        world: &World,
        caller: &Caller,
        project: &str,
        instance: &str,
        name: &str,
    ) -> Result<Delete> {
        world.store.read(|db| super::find(db, project, instance, name))?;
        let (project, instance) = (project.to_owned(), instance.to_owned());
        Ok(Delete { caller: caller.clone(), project, instance, name: name.to_owned() })
    }
}

/// Deletes a backup.
pub async fn delete(
    world: &World,
    caller: &Caller,
    project: &str,
    instance: &str,
    name: &str,
) -> Result<Operation> {
    let task = Delete::new(world, caller, project, instance, name)?;
    let request = super::request(world, "Deleting backup", caller, project, instance, name);
    world.submit(task, request)
}

/// Deletes a backup whose time is over, once its instance is free.
pub(crate) async fn expire(world: &World, project: &str, instance: &str, name: &str) -> Result<()> {
    let caller = Caller::default();
    let task = Delete::new(world, &caller, project, instance, name)?;
    let words = "Deleting expired backup";
    let request = super::request(world, words, &caller, project, instance, name).wait_when_busy();
    world.submit(task, request)?.result().await.map_err(Error::failed)
}

async fn file(cx: &mut Cx<Delete>) -> Result<()> {
    let Delete { project, instance, name, .. } = &*cx.input;
    super::remove(super::path(&cx.world, project, instance, name)).await
}

async fn row(cx: &mut Cx<Delete>) -> Result<()> {
    let Delete { caller, project, instance, name } = &*cx.input;
    let deleted = cx.world.store.write(|db| {
        let there = crate::instances::find(db, project, instance)?;
        match rows::get(db, there.id, name)? {
            Some(row) => Ok::<_, Error>(rows::delete(db, row.id)?),
            None => Ok(()),
        }
    });
    deleted.await?;
    let source = super::address(project, instance, name);
    cx.world.tell(caller, project, "instance-backup-deleted", source);
    Ok(())
}
