//! Deletes an instance with its disk.

use serde::{Deserialize, Serialize};
use storage::VolumeId;
use tasks::{Cx, Operation, Step, Task, step};

use super::{Kind, options::Typed};
use crate::{
    Caller, Error, Result, World,
    blocking::blocking,
    db::{
        instances::{self as rows, Instance},
        volumes,
    },
    expand, names,
    networks::hosts,
    url,
};

/// What is done to delete an instance. It only goes forward: half an instance is no use.
#[derive(Serialize, Deserialize)]
pub(crate) struct Delete {
    caller: Caller,
    project: String,
    name: String,
    #[serde(default)]
    kind: Kind,
    /// `None` where no option says it any more.
    pool: Option<String>,
}

impl Task for Delete {
    const KIND: &'static str = "instance-delete";
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Delete>> {
        vec![
            step("delete root volume", volume).point_of_no_return(),
            step("delete logs", logs),
            step("delete backups", backups),
            step("delete row", row),
        ]
    }
}

impl Delete {
    pub(crate) fn new(world: &World, caller: &Caller, project: &str, name: &str) -> Result<Delete> {
        let (typed, kind) = world.store.read(|db| {
            let row = super::find(db, project, name)?;
            Ok::<_, Error>((Typed::parse(&expand::expand(db, &row)?)?, row.kind()))
        })?;
        let (project, name) = (project.to_owned(), name.to_owned());
        if typed.options.security.protection_delete {
            let key = "security.protection.delete";
            return Err(Error::Protected { what: "instance", name, key });
        }
        super::backups::check_reached(world, &project, &name)?;
        let pool = typed.root_pool().ok().map(str::to_owned);
        Ok(Delete { caller: caller.clone(), project, name, kind, pool })
    }
}

/// Deletes an instance that is stopped.
pub async fn delete(
    world: &World,
    caller: &Caller,
    project: &str,
    name: &str,
) -> Result<Operation> {
    let task = Delete::new(world, caller, project, name)?;
    if world.guests.get(project, name).is_some() {
        let (name, hint) = (name.to_owned(), "stop it first, or use --force");
        return Err(Error::State { name, is: "running", hint });
    }
    let request = super::request(world, "Deleting instance", caller, project, name);
    world.submit(task, request)
}

/// Deletes an instance whose end is just being settled, and waits until it is gone.
pub(crate) async fn unguarded(
    world: &World,
    caller: &Caller,
    project: &str,
    name: &str,
) -> Result<()> {
    let task = Delete::new(world, caller, project, name)?;
    let request =
        super::request(world, "Deleting instance", caller, project, name).wait_when_busy();
    world.submit_still(task, request)?.result().await.map_err(Error::failed)
}

async fn volume(cx: &mut Cx<Delete>) -> Result<()> {
    let (world, input) = (&cx.world, &cx.input);
    let stored = world.store.read(|db| {
        let found = volumes::of_instance(db, &input.project, input.kind.word(), &input.name)?;
        Ok::<_, Error>(found.map(|volume| volume.pool))
    })?;
    let Some(pool) = stored.or_else(|| input.pool.clone()) else { return Ok(()) };
    delete_root(world, &pool, input.kind.root(&input.project, &input.name)?).await
}

/// Deletes the root of an instance from its pool; nothing there is Ok.
pub(crate) async fn delete_volume(world: &World, pool: &str, instance: &Instance) -> Result<()> {
    delete_root(world, pool, instance.root()?).await
}

async fn delete_root(world: &World, pool: &str, volume: VolumeId) -> Result<()> {
    let pool = world.pools.open(world, pool).await?;
    blocking("delete root volume", move || pool.delete(&volume)).await
}

async fn backups(cx: &mut Cx<Delete>) -> Result<()> {
    let Delete { project, name, .. } = &*cx.input;
    crate::backups::remove_all(&cx.world, &super::backups::folder(project, name)).await
}

async fn logs(cx: &mut Cx<Delete>) -> Result<()> {
    remove_folders(&cx.world, &cx.input.project, &cx.input.name).await
}

/// Removes the run and log folders of an instance; nothing there is Ok.
pub(crate) async fn remove_folders(world: &World, project: &str, name: &str) -> Result<()> {
    let id = names::instance_id(project, name);
    for folder in [world.dirs.run(&id), world.dirs.log(&id), world.dirs.machine(&id)] {
        match tokio::fs::remove_dir_all(&folder).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::file("remove", &folder)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

async fn row(cx: &mut Cx<Delete>) -> Result<()> {
    let (world, input) = (&cx.world, &cx.input);
    let (project, name) = (input.project.as_str(), input.name.as_str());
    hosts::forget(world, project, name)?;
    world
        .store
        .write(|db| {
            volumes::delete(db, project, input.kind.word(), name)?;
            Ok::<_, Error>(rows::delete(db, project, name)?)
        })
        .await?;
    hosts::tell_of(world, project, name)?;
    world.tell(&input.caller, project, "instance-deleted", url::instance(project, name));
    Ok(())
}
