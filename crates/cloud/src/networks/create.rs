//! Makes a network.

use options::{Raw, network::BridgeOptions};
use serde::{Deserialize, Serialize};
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
        super::check_options(&config)?;
        let home = world.store.read(|db| {
            let home = super::home(db, project)?;
            // The link carries the network's name, whatever the project.
            match rows::all(db)?.iter().any(|row| row.name == new.name) {
                true => Err(Error::exists("network", &new.name)),
                false => Ok(home),
            }
        })?;
        Ok(Create { home, name: new.name, description: new.description, config })
    }
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
        .write(|db| Ok::<_, Error>(rows::set_made(db, &input.home, &input.name, Made::Ready)?))
        .await
}
