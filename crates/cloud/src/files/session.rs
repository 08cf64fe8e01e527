//! An access to files: who serves them, and what is held meanwhile.

use std::{os::fd::AsFd, path::Path, sync::Arc};

use runtime::files::serve;
use storage::{Access, View, VolumeId};
use tasks::{Claim, Guard};
use tokio::{sync::oneshot, task::JoinHandle};

use super::{Of, either::Files, explain};
use crate::{
    Error, Result, World,
    blocking::blocking,
    expand,
    instances::{self, Kind, guests::Phase, options::Typed},
    storage::OpenPool,
    volumes::Key,
};

/// Who holds what is claimed for it.
const HOLDER: &str = "an access to its files";

/// An access to the files of one instance or volume.
pub struct Session {
    files: Arc<Files>,
    /// What ends the access to a volume, once `files` is dropped.
    ended: Option<JoinHandle<()>>,
}

impl Session {
    /// Opens the files of an instance or a volume.
    pub async fn open(world: &Arc<World>, of: &Of) -> Result<Session> {
        match of {
            Of::Instance { project, name } => instance(world, project, name).await,
            Of::Volume(key) => volume(world, key).await,
        }
    }

    /// Asks something about the files.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        what: impl FnOnce(&Files) -> runtime::Result<T> + Send + 'static,
    ) -> Result<T> {
        self.ask_plainly(what).await.map_err(explain)
    }

    /// The same, with the number of what went wrong.
    pub(super) async fn ask_plainly<T: Send + 'static>(
        &self,
        what: impl FnOnce(&Files) -> runtime::Result<T> + Send + 'static,
    ) -> Result<T> {
        let files = self.files.clone();
        blocking("access to files", move || what(&files)).await
    }

    /// Whether what is written waits until it is committed, and only one file does.
    pub(super) fn holds_one_file(&self) -> bool {
        matches!(*self.files, Files::Agent(_))
    }

    /// Whether it holds a volume that others may want for themselves.
    pub(super) fn holds_volume(&self) -> bool {
        self.ended.is_some()
    }

    /// Ends the access; after it the instance may be started.
    pub async fn close(self) {
        drop(self.files);
        if let Some(ended) = self.ended {
            // A panic there is in the log.
            let _ = ended.await;
        }
    }
}

async fn instance(world: &Arc<World>, project: &str, name: &str) -> Result<Session> {
    loop {
        world.store.read(|db| instances::find(db, project, name))?;
        if let Some(session) = running(world, project, name).await? {
            return Ok(session);
        }
        let claim = [Claim::alone(instances::lock_name(project, name))];
        let guard = world.locks().lock(&claim, HOLDER).await;
        match world.guests.get(project, name) {
            None => return stopped(world, project, name, guard).await,
            // Just started.
            Some(guest) if guest.phase() != Phase::Gone => drop(guard),
            Some(guest) => guest.gone().await,
        }
    }
}

/// Instances that have it mounted go on; it is not deleted, moved or restored meanwhile.
async fn volume(world: &Arc<World>, key: &Key) -> Result<Session> {
    let guard = world.locks().lock(&[Claim::shared(key.claim())], HOLDER).await;
    let row = world.store.read(|db| key.find(db))?;
    if row.content != "filesystem" {
        let why = format!("\"{}\" holds a {}, not files", key.name, row.content);
        return Err(Error::invalid("volume", why));
    }
    let pool = world.pools.open(world, &key.pool).await?;
    served(pool, key.on_disk()?, guard).await
}

async fn running(world: &World, project: &str, name: &str) -> Result<Option<Session>> {
    let runs = |phase| matches!(phase, Phase::Running | Phase::Frozen);
    let guest = world.guests.get(project, name).filter(|guest| runs(guest.phase()));
    let Some(guest) = guest else { return Ok(None) };
    let files = if guest.spec().machine {
        let (agent, spool) = (instances::machine::agent::soon(&guest).await?, world.dirs.cache());
        let opened = blocking("open files", move || agent.files(Path::new("/"), &spool));
        Files::Agent(opened.await?)
    } else {
        Files::Here(blocking("open files", move || guest.monitor().files()).await?)
    };
    Ok(Some(Session { files: Arc::new(files), ended: None }))
}

async fn stopped(world: &World, project: &str, name: &str, guard: Guard) -> Result<Session> {
    let typed = world.store.read(|db| {
        let row = instances::find(db, project, name)?;
        if row.kind() == Kind::VirtualMachine {
            let hint = "the files of a virtual machine can be reached while it runs";
            return Err(Error::State { name: name.to_owned(), is: "stopped", hint });
        }
        Typed::parse(&expand::expand(db, &row)?)
    })?;
    let pool = world.pools.open(world, typed.root_pool()?).await?;
    served(pool, Kind::Container.root(project, name)?, guard).await
}

/// Opens a volume and lets a thread serve it. The whole is one task of its own, so that what was
/// begun is ended even if whoever asked goes away.
async fn served(pool: OpenPool, volume: VolumeId, guard: Guard) -> Result<Session> {
    let (files, theirs) = runtime::files::Files::pair()?;
    let (told, opened) = oneshot::channel();
    let ended = tokio::spawn(async move {
        let (attaching, attached) = (pool.clone(), volume.clone());
        let root = blocking("open volume", move || {
            let view = View::open(&attaching.attach(&attached)?, Access::Write)?;
            let root = view.as_fd().try_clone_to_owned();
            root.map_err(Error::file("open", Path::new("/")))
        });
        match root.await {
            Ok(root) => {
                // Whoever waited may be gone; then its end of the socket is, too.
                let _ = told.send(Ok(()));
                let served = blocking("serve files", move || serve(root, theirs.as_fd())).await;
                warn(served, "files of a volume");
            }
            Err(error) => drop(told.send(Err(error))),
        }
        warn(blocking("close volume", move || pool.detach(&volume)).await, "close of a volume");
        drop(guard);
    });
    opened.await.unwrap_or(Err(Error::Broken("access to files")))?;
    Ok(Session { files: Arc::new(Files::Here(files)), ended: Some(ended) })
}

fn warn(result: Result<()>, what: &str) {
    if let Err(error) = result {
        tracing::warn!(error = tasks::chain(&error), "{what}");
    }
}
