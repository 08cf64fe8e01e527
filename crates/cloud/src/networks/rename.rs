//! Gives a network another name. Its link is made anew under that, with the same addresses, filters and leases.

use serde::{Deserialize, Serialize};
use tasks::{Cx, Request, Step, Task, step};

use super::spec;
use crate::{
    Caller, Error, Result, World,
    db::networks::{self as rows, Network},
    disk::absent_is_done,
    url,
};

/// What is done to rename a network.
#[derive(Serialize, Deserialize)]
pub(crate) struct Rename {
    home: String,
    from: String,
    to: String,
}

impl Task for Rename {
    const KIND: &'static str = "network-rename";
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Rename>> {
        vec![
            step("unmake network", unmake).undo(remake),
            step("write row", write).point_of_no_return(),
            step("make network", make),
        ]
    }
}

impl Rename {
    pub(crate) fn new(world: &World, project: &str, name: &str, to: &str) -> Result<Rename> {
        options::names::check_network(to).map_err(|why| Error::invalid("network name", why))?;
        if world.store.status().members.len() > 1 {
            let why = "a network of a cluster keeps its name: make another one";
            return Err(Error::invalid("network name", why));
        }
        world.store.read(|db| {
            let row = super::find(db, project, name)?;
            super::create::check_free(db, to)?;
            match super::users(db, &row)?.into_iter().next() {
                Some(by) => Err(Error::InUse { what: "network", name: name.to_owned(), by }),
                None => Ok(Rename { home: row.project, from: row.name, to: to.to_owned() }),
            }
        })
    }
}

/// Renames a network that nothing uses.
///
/// # Errors
/// It is used, or there is one of that name; or the server is in a cluster with others.
pub async fn rename(
    world: &World,
    caller: &Caller,
    project: &str,
    name: &str,
    to: &str,
) -> Result<()> {
    let task = Rename::new(world, project, name, to)?;
    let (home, source) = (task.home.clone(), url::of("networks", to, &task.home));
    let request = Request::new("Renaming network")
        .project(project)
        .resource("networks", url::of("networks", name, &task.home))
        .requestor(caller.requestor.clone())
        .lock(format!("network/{name}"))
        .lock(format!("network/{to}"));
    world.submit(task, request)?.result().await.map_err(Error::failed)?;
    world.tell(caller, &home, "network-renamed", source);
    Ok(())
}

fn row(cx: &Cx<Rename>, name: &str) -> Result<Option<Network>> {
    cx.world.store.read(|db| Ok::<_, Error>(rows::get(db, &cx.input.home, name)?))
}

async fn unmake(cx: &mut Cx<Rename>) -> Result<()> {
    let Some(row) = row(cx, &cx.input.from)? else { return Ok(()) };
    Ok(cx.world.plane.teardown(&spec::of(&cx.world, &row)?).await?)
}

async fn remake(cx: &mut Cx<Rename>) -> Result<()> {
    let Some(row) = row(cx, &cx.input.from)? else { return Ok(()) };
    Ok(cx.world.plane.apply(&spec::of(&cx.world, &row)?).await.map(drop)?)
}

async fn write(cx: &mut Cx<Rename>) -> Result<()> {
    let (world, Rename { home, from, to }) = (cx.world.clone(), &*cx.input.clone());
    let written = world.store.write(|db| {
        let Some(row) = rows::get(db, home, from)? else {
            // It was written before a crash.
            let row = rows::get(db, home, to)?;
            return Ok(row.map(|row| Network { name: from.clone(), ..row }));
        };
        rows::rename(db, row.id, to)?;
        Ok::<_, Error>(Some(row))
    });
    let Some(old) = written.await? else { return Ok(()) };
    // A repair that still saw the old name may have made the link anew; none that comes later sees it.
    let _turn = super::repairing(&world, from).await;
    Ok(world.plane.teardown(&spec::of(&world, &old)?).await?)
}

async fn make(cx: &mut Cx<Rename>) -> Result<()> {
    let (world, Rename { from, to, .. }) = (cx.world.clone(), &*cx.input.clone());
    let (before, after) = (world.dirs.network(from), world.dirs.network(to));
    absent_is_done(tokio::fs::rename(&before, &after).await, "move", &before)?;
    let Some(row) = row(cx, to)? else { return Ok(()) };
    let _turn = super::repairing(&world, to).await;
    Ok(world.plane.apply(&spec::of(&world, &row)?).await.map(drop)?)
}
