//! Takes in an instance that another member of the cluster sends ([`super::leave`]).
//!
//! What comes is unpacked beside all else that is here, and nobody sees it; then the row becomes this member's.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use tasks::Operation;
use wire::{ClusterInstancesPost, OperationClass};

use super::{
    Arrive, Land, Moving, cancellable,
    receive::{FAREWELL, ended, fetched},
    sail,
    send::strange,
    told,
};
use crate::{
    Caller, Error, Result, World, backups,
    db::instances::Instance,
    instances::backups::{Import, folder},
    migration::{Link, Said, Voyage, Way, What},
    url,
};

/// Waits for an instance of another member.
///
/// # Errors
/// What stands in the way of it, as a pool that this member has not.
pub fn from_member(
    world: &Arc<World>,
    caller: &Caller,
    post: ClusterInstancesPost,
) -> Result<Operation> {
    let request = tasks::Request::new("Receiving instance")
        .project(post.project.clone())
        .class(OperationClass::Websocket)
        .resource("instances", url::instance(&post.project, &post.new_name))
        .requestor(caller.requestor.clone());
    let settling = Settling::new(world, caller, post)?;
    let work = async move |operation: Operation| {
        let what = if settling.post.live { What::Live } else { What::AtRest };
        let link = cancellable(&operation, Way::Here.link(&operation, what)).await?;
        settling.settle(&operation, link).await
    };
    Ok(world.operations.spawn(request, work)?)
}

struct Settling {
    world: Arc<World>,
    caller: Caller,
    post: ClusterInstancesPost,
    moving: Moving,
    /// The row as it will be, but for its root's pool.
    instance: Instance,
    /// The driver of the pool.
    driver: String,
}

impl Settling {
    fn new(world: &Arc<World>, caller: &Caller, post: ClusterInstancesPost) -> Result<Settling> {
        let number = post.number.parse();
        let number =
            number.map_err(|_| Error::invalid("number", "it is that of a move: a UUID"))?;
        let (row, pool) = world.store.read(|db| {
            let row = crate::instances::find(db, &post.project, &post.name)?;
            Ok::<_, Error>((row, crate::storage::find(db, &post.pool)?))
        })?;
        let moving = Moving { instance: row.id, number };
        let instance = Instance { name: post.new_name.clone(), ..row };
        let (world, caller) = (world.clone(), caller.clone());
        Ok(Settling { world, caller, post, moving, instance, driver: pool.driver })
    }

    async fn settle(&self, operation: &Operation, mut link: Link) -> Result<()> {
        if self.post.shared && !self.post.live {
            return self.keep_shared(operation, link).await;
        }
        let file = super::between(&self.world)?;
        let came = cancellable(operation, self.came(operation, &mut link, &file)).await;
        let task = match came {
            Ok(task) => task,
            Err(error) => {
                // No task knows of them yet.
                let kept = self.kept();
                backups::remove_all(&self.world, &kept).await?;
                return told(&link, Err(error)).await;
            }
        };
        let (project, name) = (&self.post.project, &self.post.new_name);
        let words = "Moving instance";
        let request = crate::instances::request(&self.world, words, &self.caller, project, name);
        let done = match task {
            Coming::AtRest(import) => {
                let inner = self.world.submit(*import, request)?;
                let done = link.busy(ended(operation, &inner)).await;
                if done.is_err() {
                    // It may be too late for that: either way it is whole or gone.
                    let _ = inner.cancel();
                    inner.wait().await;
                }
                let done = told(&link, done).await;
                if done.is_ok() {
                    // It is here in any case. Who does not hear of it asks the database.
                    let _ = link.tell(&Said::Done).await;
                }
                done
            }
            Coming::Live(arrive) => {
                let voyage = Voyage { link, operation: operation.clone() };
                let task = Ok((arrive.voyage(), *arrive));
                let request = request.uncancellable();
                let (back, done) = sail(&self.world, task, request, voyage).await?;
                link = back;
                done
            }
            Coming::Landing(land) => {
                let voyage = Voyage { link, operation: operation.clone() };
                let task = Ok((land.voyage(), *land));
                let request = request.uncancellable();
                let (back, done) = sail(&self.world, task, request, voyage).await?;
                link = back;
                done
            }
        };
        if done.is_ok() {
            link.until_let_go(FAREWELL).await;
        }
        done
    }

    /// Keeps the files of its backups, which the other member sends before it gives the row away.
    async fn keep_shared(&self, operation: &Operation, mut link: Link) -> Result<()> {
        let kept = cancellable(operation, self.keep(operation, &mut link)).await;
        let told = match told(&link, kept).await {
            Ok(()) => link.tell(&Said::Done).await,
            failed => failed,
        };
        if told.is_ok() {
            link.until_let_go(FAREWELL).await;
        }
        match self.moving.end(&self.world).await? {
            true => {
                crate::networks::hosts::tell_of(&self.world, &self.post.project, &self.post.name)
            }
            false => {
                backups::remove_all(&self.world, &self.kept()).await?;
                told.and(Err(Error::BrokenOff))
            }
        }
    }

    /// What is to be done with what the other member sent.
    async fn came(&self, operation: &Operation, link: &mut Link, file: &Path) -> Result<Coming> {
        let frame = fetched(operation, link, Some(self.driver.clone()), file).await?;
        self.keep(operation, link).await?;
        if self.post.shared {
            let frame = frame.ok_or_else(|| Error::invalid("live", "the source does not run"))?;
            let what = (self.moving.clone(), self.instance.clone());
            return Ok(Coming::Landing(Box::new(Land::new(&self.caller, what, file, frame))));
        }
        let index = backups::index(file).await?;
        backups::check_form(&index, &self.driver)?;
        let what = (self.moving.clone(), self.instance.clone(), self.post.pool.as_str());
        let import = Import::of_move(&self.world, &self.caller, what, (file, index.optimized))?;
        match frame {
            None => Ok(Coming::AtRest(Box::new(import))),
            Some(frame) => {
                let disk = import.only_disk(&self.world)?;
                Ok(Coming::Live(Box::new(Arrive::new(import, disk, frame))))
            }
        }
    }

    /// Where the files of its backups are kept, within the depot.
    fn kept(&self) -> PathBuf {
        folder(&self.post.project, &self.post.new_name)
    }

    /// Receives the files of the backups that are kept of it.
    async fn keep(&self, operation: &Operation, link: &mut Link) -> Result<()> {
        let folder = self.kept();
        backups::remove_all(&self.world, &folder).await?;
        loop {
            match link.hear().await? {
                Said::All => return Ok(()),
                Said::Kept { name, size } => {
                    options::names::check_snapshot(&name)
                        .map_err(|why| Error::invalid("backup name", why))?;
                    let held = backups::hold(&self.world).await?;
                    let file = held.make(&folder)?.join(name);
                    std::fs::File::create(&file).map_err(Error::file("create", &file))?;
                    link.receive_file(&file, size, operation.control()).await?;
                }
                other => return Err(strange(&other)),
            }
        }
    }
}

/// What is to be done.
enum Coming {
    AtRest(Box<Import>),
    Live(Box<Arrive>),
    /// One whose disks stay where they are.
    Landing(Box<Land>),
}
