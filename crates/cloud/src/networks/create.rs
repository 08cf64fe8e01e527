//! Makes a network.

use options::{Raw, network::BridgeOptions};
use serde::{Deserialize, Serialize};
use store::Read;
use tasks::{Cx, Request, Step, Task, step};
use wire::NetworksPost;

use super::spec;
use crate::{
    Caller, Error, Result, World,
    db::{
        instances::Made,
        networks::{self as rows, Network},
    },
    projects::rules,
    url,
};

/// What is done to make a network.
#[derive(Serialize, Deserialize)]
pub(crate) struct Create {
    home: String,
    name: String,
    description: String,
    config: Raw,
}

impl Task for Create {
    const KIND: &'static str = "network-create";
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Create>> {
        vec![
            step("write row", row).undo(delete_row),
            step("make network", make).undo(unmake),
            step("mark as made", ready),
        ]
    }
}

impl Create {
    pub(crate) fn new(world: &World, project: &str, new: NetworksPost) -> Result<Create> {
        let named = options::names::check_network(&new.name);
        named.map_err(|why| Error::invalid("network name", why))?;
        if !matches!(new.r#type.as_str(), "" | "bridge") {
            return Err(Error::invalid("network type", format!("\"{}\": bridge", new.r#type)));
        }
        let mut config: Raw = new.config.into();
        BridgeOptions::fill_new(&mut config);
        let home = world.store.read(|db| {
            let home = super::home(db, project)?;
            check_free(db, &new.name)?;
            // What was said of this member before is part of it.
            let promised = rows::promised(db, &new.name)?.into_iter();
            for (_, told) in promised.filter(|(member, _)| *member == db.me()) {
                for (key, value) in told.iter() {
                    config.set_default(key, value);
                }
            }
            Ok::<_, Error>(home)
        })?;
        super::check_options(&config)?;
        Ok(Create { home, name: new.name, description: new.description, config })
    }
}

/// The link carries the network's name, whatever the project.
pub(super) fn check_free(db: &Read<'_>, name: &str) -> Result<()> {
    match rows::all(db)?.iter().any(|row| row.name == name) {
        true => Err(Error::exists("network", name)),
        false => Ok(()),
    }
}

/// Tells what a network is to be on one member, before it is made on all.
pub async fn promise(world: &World, member: &str, new: NetworksPost) -> Result<()> {
    let named = options::names::check_network(&new.name);
    named.map_err(|why| Error::invalid("network name", why))?;
    let config: Raw = new.config.into();
    super::check_options(&config)?;
    let (shared, local) = rows::parts(&config);
    if let Some(key) = shared.keys().next() {
        let why = format!("{key} is the same on all members: it is said when the network is made");
        return Err(Error::invalid("configuration", why));
    }
    world
        .store
        .write(|db| {
            let id = crate::cluster::find(db, member)?.id;
            check_free(db, &new.name)?;
            Ok(rows::promise(db, &new.name, id, &local)?)
        })
        .await
}

/// Makes a network.
pub async fn create(
    world: &World,
    caller: &Caller,
    project: &str,
    new: NetworksPost,
) -> Result<()> {
    let task = Create::new(world, project, new)?;
    let (home, source) = (task.home.clone(), url::of("networks", &task.name, &task.home));
    let request = Request::new("Creating network")
        .project(project)
        .resource("networks", source.clone())
        .requestor(caller.requestor.clone())
        .lock(format!("network/{}", task.name));
    world.submit(task, request)?.result().await.map_err(Error::failed)?;
    world.tell(caller, &home, "network-created", source);
    Ok(())
}

fn as_row(input: &Create) -> Network {
    Network {
        id: 0,
        project: input.home.clone(),
        name: input.name.clone(),
        kind: String::from("bridge"),
        description: input.description.clone(),
        config: input.config.clone(),
        made: Made::Creating,
    }
}

async fn row(cx: &mut Cx<Create>) -> Result<()> {
    let input = cx.input.clone();
    cx.world
        .store
        .write(|db| {
            if rows::get(db, &input.home, &input.name)?.is_none() {
                rows::insert(db, &as_row(&input))?;
                rules::keep(db, &input.home)?;
            }
            Ok::<_, Error>(())
        })
        .await
}

async fn delete_row(cx: &mut Cx<Create>) -> Result<()> {
    let input = cx.input.clone();
    cx.world.store.write(|db| Ok::<_, Error>(rows::delete(db, &input.home, &input.name)?)).await
}

async fn make(cx: &mut Cx<Create>) -> Result<()> {
    let spec = spec::of(&cx.world, &as_row(&cx.input))?;
    let applied = cx.world.plane.apply(&spec).await?;
    for warning in &applied.warnings {
        tracing::warn!(network = spec.name, %warning, "network");
    }
    let input = cx.input.clone();
    cx.world
        .store
        .write(|db| {
            let Some(mut row) = rows::get(db, &input.home, &input.name)? else { return Ok(()) };
            super::settle(&mut row.config, &applied);
            Ok::<_, Error>(rows::update(db, row.id, &row.description, &row.config)?)
        })
        .await
}

async fn unmake(cx: &mut Cx<Create>) -> Result<()> {
    Ok(cx.world.plane.teardown(&spec::of(&cx.world, &as_row(&cx.input))?).await?)
}

async fn ready(cx: &mut Cx<Create>) -> Result<()> {
    let input = cx.input.clone();
    cx.world
        .store
        .write(|db| {
            rows::unpromise(db, &input.name)?;
            Ok::<_, Error>(rows::set_made(db, &input.home, &input.name, Made::Ready)?)
        })
        .await
}
