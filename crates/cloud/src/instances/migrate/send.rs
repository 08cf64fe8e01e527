//! The source of a copy between servers.

use std::{path::PathBuf, sync::Arc};

use tasks::Operation;
use wire::{InstancePost, OperationClass};

use super::{Depart, cancellable, told};
use crate::{
    Caller, Error, Result, World,
    backups::{Job, Source},
    compression::{Purpose, Wanted},
    instances::{backups::Of, guests::Phase},
    migration::{Link, Said, VERSION, Voyage, Way, What},
    url,
};

/// Sends an instance that is stopped to another server.
pub fn send(
    world: &Arc<World>,
    caller: &Caller,
    project: &str,
    name: &str,
    post: &InstancePost,
) -> Result<Operation> {
    let of = Of::new(project, name);
    let target = post.target.clone().unwrap_or_default();
    let way = Way::new(&target.operation, &target.certificate, &target.websockets)?;
    let class = match way {
        Way::Here => OperationClass::Websocket,
        Way::There(_) => OperationClass::Task,
    };
    if post.live {
        return live(world, caller, (of, post), (way, class));
    }
    stopped(world, &of)?;
    let words = "Migrating instance";
    let request = crate::instances::request(world, words, caller, project, name).class(class);
    let (held, only) = (world.clone(), post.instance_only || post.container_only);
    let work = async move |operation: Operation| {
        let mut link = cancellable(&operation, way.link(&operation, What::AtRest)).await?;
        let done = sent(&held, &of, only, &operation, &mut link);
        let done = cancellable(&operation, done).await;
        let done = told(&link, done).await;
        link.let_go_after(&operation);
        done
    };
    Ok(world.operations.spawn(request, work)?)
}

/// Sends a machine that runs, with its memory.
fn live(
    world: &Arc<World>,
    caller: &Caller,
    (of, post): (Of, &InstancePost),
    (way, class): (Way, OperationClass),
) -> Result<Operation> {
    let only = post.instance_only || post.container_only;
    Depart::new(world, &of, only)?;
    let request = tasks::Request::new("Migrating instance")
        .project(of.project.clone())
        .class(class)
        .resource("instances", url::instance(&of.project, &of.instance))
        .requestor(caller.requestor.clone());
    let (held, caller) = (world.clone(), caller.clone());
    let work = async move |operation: Operation| {
        let link = cancellable(&operation, way.link(&operation, What::Live)).await?;
        let departed = async {
            let task = Depart::new(&held, &of, only)?;
            let (id, words) = (task.voyage(), "Sending instance");
            let (project, name) = (&of.project, &of.instance);
            let request = crate::instances::request(&held, words, &caller, project, name);
            Ok::<_, Error>((id, task, request.uncancellable()))
        };
        let (id, task, request) = match departed.await {
            Ok(all) => all,
            Err(error) => return told(&link, Err(error)).await,
        };
        held.voyages.put(id, Voyage { link, operation: operation.clone() });
        let done = match held.submit(task, request) {
            Ok(inner) => inner.result().await.map_err(Error::failed),
            Err(error) => Err(error),
        };
        let voyage = held.voyages.take(id)?;
        let done = told(&voyage.link, done).await;
        voyage.link.let_go_after(&operation);
        done
    };
    Ok(world.operations.spawn(request, work)?)
}

/// Fails unless it is stopped: nobody writes to it then.
fn stopped(world: &World, of: &Of) -> Result<()> {
    let row = world.store.read(|db| crate::instances::find(db, &of.project, &of.instance))?;
    let guest = world.guests.get(&of.project, &of.instance);
    let name = of.instance.clone();
    if guest.is_some_and(|guest| guest.phase() != Phase::Gone) {
        let hint = "stop it first: it is copied to another server while it is stopped";
        return Err(Error::State { name, is: "running", hint });
    }
    if row.stateful {
        let hint = "start it and stop it without its memory: that does not come along";
        return Err(Error::State { name, is: "stopped with its memory", hint });
    }
    Ok(())
}

async fn sent(
    world: &World,
    of: &Of,
    without_snapshots: bool,
    operation: &Operation,
    link: &mut Link,
) -> Result<()> {
    // Between the request and the claim somebody may have started it.
    stopped(world, of)?;
    let driver = match link.hear().await? {
        Said::Hello { version: VERSION, driver } => driver,
        other => return Err(strange(&other)),
    };
    let file = super::between(world)?;
    let job = job(world, of, file.to_path_buf(), (without_snapshots, driver), operation)?;
    link.busy(of.write(world, job)).await?;
    let size = file.metadata().map_err(Error::file("look at", &file))?.len();
    link.tell(&Said::Ready { version: VERSION, size, machine: None }).await?;
    link.send_file(&file, size, operation.control()).await?;
    match link.hear().await? {
        Said::Done => Ok(()),
        other => Err(strange(&other)),
    }
}

/// What is written: streams of the driver, where the other end's is the same.
pub(super) fn job(
    world: &World,
    of: &Of,
    to: PathBuf,
    (without_snapshots, driver): (bool, Option<String>),
    operation: &Operation,
) -> Result<Job> {
    world.store.read(|db| {
        let (pool, volume) = of.volume(db)?;
        let optimized = driver == Some(crate::storage::find(db, &pool)?.driver);
        Ok(Job {
            to,
            pool,
            root: volume.clone(),
            volume,
            without_snapshots,
            optimized,
            blank: false,
            packing: Wanted::find(db, &of.project, Purpose::Backup, "none")?.parsed()?,
            control: operation.control().clone(),
        })
    })
}

pub(super) fn strange(said: &Said) -> Error {
    Error::OtherEnd { said: format!("{said:?}, which this server does not expect") }
}
