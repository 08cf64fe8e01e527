//! The target of a copy between servers.

use std::{path::Path, sync::Arc, time::Duration};

use images::backup::Index;
use options::Raw;
use store::Read;
use tasks::Operation;
use tempfile::TempPath;
use wire::{InstancesPost, OperationClass};

use super::{Arrive, cancellable, send::strange, told};
use crate::{
    Caller, Error, Result, World, backups,
    db::{self, instances as rows},
    instances::{Kind, backups::Import, machine::memory::Frame},
    migration::{Link, OLDEST, Said, VERSION, Voyage, Way, What},
    url,
};

/// How long the source may hold what it sent after it knows that it is there.
pub(super) const FAREWELL: Duration = Duration::from_secs(10);

/// Makes an instance of one of another server.
pub fn receive(
    world: &Arc<World>,
    caller: &Caller,
    project: &str,
    post: InstancesPost,
) -> Result<Operation> {
    let way = checked(world, project, &post)?;
    let class = match way {
        Way::Here => OperationClass::Websocket,
        Way::There(_) => OperationClass::Task,
    };
    let request = tasks::Request::new("Receiving instance")
        .project(project)
        .class(class)
        .resource("instances", url::instance(project, &post.name))
        .requestor(caller.requestor.clone());
    let (held, caller, project) = (world.clone(), caller.clone(), project.to_owned());
    let work = async move |operation: Operation| {
        let what = if post.source.live { What::Live } else { What::AtRest };
        let mut link = cancellable(&operation, way.link(&operation, what)).await?;
        let target = Target { world: &held, caller: &caller, project: &project, post: &post };
        if what == What::Live {
            return target.arrived(&operation, link).await;
        }
        let done = target.received(&operation, &mut link).await;
        let done = told(&link, done).await;
        if done.is_ok() {
            link.until_let_go(FAREWELL).await;
        }
        done
    };
    Ok(world.operations.spawn(request, work)?)
}

/// Where the other end is, if the request can be met.
fn checked(world: &World, project: &str, post: &InstancesPost) -> Result<Way> {
    let source = &post.source;
    options::names::check_instance(&post.name)
        .map_err(|why| Error::invalid("instance name", why))?;
    if source.live && !post.config.contains_key("volatile.uuid") {
        let why =
            "what runs can be moved with its memory, and not copied: both would run. Stop it first";
        return Err(Error::invalid("live", why));
    }
    if source.live && source.refresh {
        return Err(Error::invalid("refresh", "what runs can be moved only"));
    }
    if world.store.read(|db| Ok::<_, Error>(rows::get(db, project, &post.name)?))?.is_some() {
        return match source.refresh {
            true => Err(Error::Unsupported("--refresh from another server")),
            false => Err(Error::exists("instance", &post.name)),
        };
    }
    match source.mode.as_str() {
        "push" => Ok(Way::Here),
        "pull" | "" if source.operation.is_empty() => {
            Err(Error::invalid("operation", "that of the source is needed to pull from it"))
        }
        "pull" | "" => Way::new(&source.operation, &source.certificate, &source.secrets),
        other => Err(Error::invalid("mode", format!("\"{other}\": pull or push"))),
    }
}

/// What a law is to have done, by a link that it has.
#[cfg(test)]
pub(crate) async fn announced(
    world: &World,
    project: &str,
    post: &InstancesPost,
    (operation, link): (&Operation, &mut Link),
) -> Result<(Arrive, Arc<TempPath>)> {
    let caller = &Caller::default();
    Target { world, caller, project, post }.announced(operation, link).await
}

struct Target<'a> {
    world: &'a World,
    caller: &'a Caller,
    project: &'a str,
    post: &'a InstancesPost,
}

impl Target<'_> {
    async fn received(&self, operation: &Operation, link: &mut Link) -> Result<()> {
        let pool = self.world.store.read(|db| wanted_pool(db, self.project, self.post))?;
        let driver = match &pool {
            Some(pool) => Some(self.world.store.read(|db| crate::storage::find(db, pool))?.driver),
            None => None,
        };
        let file = super::between(self.world)?;
        if cancellable(operation, fetched(operation, link, driver, &file)).await?.is_some() {
            return Err(Error::invalid("live", "the source runs"));
        }
        let index = backups::index(&file).await?;
        let index = adapted(index, self.post)?;
        let imported = Import::of_index(
            self.world,
            self.caller,
            self.project,
            &index,
            &file,
            (Some(&self.post.name), pool.as_deref()),
        )?;
        let name = self.post.name.as_str();
        let request = crate::instances::request(
            self.world,
            "Creating instance",
            self.caller,
            self.project,
            name,
        );
        let inner = self.world.submit(imported, request)?;
        if let Err(error) = link.busy(ended(operation, &inner)).await {
            // It may be too late for that: either way it is whole or gone.
            let _ = inner.cancel();
            inner.wait().await;
            return Err(error);
        }
        link.tell(&Said::Done).await
    }

    /// A machine that runs.
    async fn arrived(&self, operation: &Operation, mut link: Link) -> Result<()> {
        let (task, _file) = match self.announced(operation, &mut link).await {
            Ok(all) => all,
            Err(error) => return told(&link, Err(error)).await,
        };
        let (world, name) = (self.world, self.post.name.as_str());
        let (words, project) = ("Creating instance", self.project);
        let request = crate::instances::request(world, words, self.caller, project, name);
        let voyage = Voyage { link, operation: operation.clone() };
        let task = Ok((task.voyage(), task));
        let (mut link, done) = super::sail(world, task, request.uncancellable(), voyage).await?;
        if done.is_ok() {
            link.until_let_go(FAREWELL).await;
        }
        done
    }

    /// What is to be done with what comes before disk and memory, and its file.
    async fn announced(
        &self,
        operation: &Operation,
        link: &mut Link,
    ) -> Result<(Arrive, Arc<TempPath>)> {
        let pool = self.world.store.read(|db| wanted_pool(db, self.project, self.post))?;
        let driver = match &pool {
            Some(pool) => Some(self.world.store.read(|db| crate::storage::find(db, pool))?.driver),
            None => None,
        };
        let file = super::between(self.world)?;
        let frame = cancellable(operation, fetched(operation, link, driver, &file)).await?;
        let frame = frame.ok_or_else(|| Error::invalid("live", "the source does not run"))?;
        let index = adapted(backups::index(&file).await?, self.post)?;
        let (name, pool) = (Some(&*self.post.name), pool.as_deref());
        let import =
            Import::of_index(self.world, self.caller, self.project, &index, &file, (name, pool))?;
        let disk = import.only_disk(self.world)?;
        Ok((Arrive::new(import, disk, frame), file))
    }
}

/// Has the source send what it has, into a file; what it says of a machine that runs.
pub(super) async fn fetched(
    operation: &Operation,
    link: &mut Link,
    driver: Option<String>,
    file: &Path,
) -> Result<Option<Frame>> {
    link.tell(&Said::Hello { version: VERSION, oldest: OLDEST, driver }).await?;
    match link.hear().await? {
        Said::Ready { version: OLDEST..=VERSION, size, machine } => {
            link.receive_file(file, size, operation.control()).await?;
            Ok(machine)
        }
        other => Err(strange(&other)),
    }
}

/// Waits for a task, and cancels it with the operation that it is part of.
pub(super) async fn ended(operation: &Operation, inner: &Operation) -> Result<()> {
    tokio::select! {
        done = inner.result() => return done.map_err(Error::failed),
        () = operation.cancelled() => {}
    }
    // One that has just ended needs it no more.
    let _ = inner.cancel();
    inner.result().await.map_err(Error::failed)
}

/// The pool that the request's root disk names, or its profiles' does.
fn wanted_pool(db: &Read<'_>, project: &str, post: &InstancesPost) -> Result<Option<String>> {
    let mut devices: Vec<Raw> = db::devices_in(post.devices.clone()).0.into_values().collect();
    for profile in post.profiles.iter().flatten().rev() {
        devices.extend(crate::profiles::find(db, project, profile)?.devices.0.into_values());
    }
    let is_root =
        |device: &&Raw| device.get("type") == Some("disk") && device.get("path") == Some("/");
    Ok(devices.iter().find(is_root).and_then(|root| root.get("pool")).map(str::to_owned))
}

/// The index of what came, with the request's word for what the instance is to be: a client may have changed all
/// of it on the way.
fn adapted(mut index: Index, post: &InstancesPost) -> Result<Index> {
    let wrong =
        || Error::invalid("migration", "what came is not of the instance that is asked for");
    if Kind::of(&index.r#type) != Kind::from(post.r#type) {
        return Err(wrong());
    }
    if post.source.instance_only || post.source.container_only {
        index.snapshots.clear();
    }
    let there = index.config.as_mut().and_then(|config| config.container.as_mut());
    let instance = there.ok_or_else(wrong)?;
    instance.config = post.config.clone();
    instance.devices = post.devices.clone();
    instance.ephemeral = post.ephemeral;
    instance.description.clone_from(&post.description);
    instance.profiles = post.profiles.clone().unwrap_or_else(|| vec!["default".into()]);
    if !post.architecture.is_empty() {
        instance.architecture.clone_from(&post.architecture);
    }
    Ok(index)
}
