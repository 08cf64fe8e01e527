//! The source of a copy between servers.

use std::sync::Arc;

use tasks::Operation;
use tempfile::TempPath;
use wire::{InstancePost, OperationClass};

use super::{Depart, cancellable, told};
use crate::{
    Caller, Error, Result, World,
    backups::{Job, Source},
    compression::{Purpose, Wanted},
    instances::{backups::Of, guests::Phase},
    migration::{self, Link, Said, Voyage, Way, What},
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
    let along = match post.instance_only || post.container_only {
        true => Along::Nothing,
        false => Along::Snapshots,
    };
    let held = world.clone();
    let work = async move |operation: Operation| {
        let mut link = cancellable(&operation, way.link(&operation, What::AtRest)).await?;
        let done = sent(&held, &of, along, &operation, &mut link);
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
        let task = Depart::new(&held, &of, only).map(|task| (task.voyage(), task));
        let (words, project, name) = ("Sending instance", &of.project, &of.instance);
        let request = crate::instances::request(&held, words, &caller, project, name);
        let voyage = Voyage { link, operation: operation.clone() };
        let (link, done) = super::sail(&held, task, request.uncancellable(), voyage).await?;
        link.let_go_after(&operation);
        done
    };
    Ok(world.operations.spawn(request, work)?)
}

/// What goes with an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Along {
    /// Not even its snapshots.
    Nothing,
    /// Its snapshots.
    Snapshots,
    /// Its backups, too.
    All,
}

/// Fails unless it is stopped: nobody writes to it then.
pub(super) fn stopped(world: &World, of: &Of) -> Result<()> {
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

pub(super) async fn sent(
    world: &World,
    of: &Of,
    along: Along,
    operation: &Operation,
    link: &mut Link,
) -> Result<()> {
    // Between the request and the claim somebody may have started it.
    stopped(world, of)?;
    let (version, driver) = greeted(link).await?;
    let file = super::between(world)?;
    let without_snapshots = along == Along::Nothing;
    let job = job(world, of, &file, (without_snapshots, driver), operation)?;
    link.busy(of.write(world, job)).await?;
    let size = file.metadata().map_err(Error::file("look at", &file))?.len();
    link.tell(&Said::Ready { version, size, machine: None }).await?;
    link.send_file(&file, size, operation.control()).await?;
    if along == Along::All {
        super::leave::send_kept(world, of, operation, link).await?;
    }
    match link.hear().await? {
        Said::Done => Ok(()),
        other => Err(strange(&other)),
    }
}

/// The version that is spoken, and the driver of the other end.
pub(super) async fn greeted(link: &mut Link) -> Result<(u32, Option<String>)> {
    match link.hear().await? {
        Said::Hello { version, oldest, driver } => match migration::agreed(version, oldest) {
            Some(version) => Ok((version, driver)),
            None => Err(strange(&Said::Hello { version, oldest, driver })),
        },
        other => Err(strange(&other)),
    }
}

/// What is written: streams of the driver, where the other end's is the same.
pub(super) fn job(
    world: &World,
    of: &Of,
    file: &Arc<TempPath>,
    (without_snapshots, driver): (bool, Option<String>),
    operation: &Operation,
) -> Result<Job> {
    world.store.read(|db| {
        let (pool, volume) = of.volume(db)?;
        let optimized = driver == Some(crate::storage::find(db, &pool)?.driver);
        Ok(Job {
            to: file.to_path_buf(),
            kept: Some(file.clone()),
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
