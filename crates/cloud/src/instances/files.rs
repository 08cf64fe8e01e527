//! The files of an instance, whether it runs or not.
//!
//! ```text
//! runs     a child of its monitor serves them, with the rights of its root
//! stopped  its volume is opened, and claimed, until the session is closed or dropped
//! ```

use std::{
    os::fd::AsFd,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use runtime::files::{File, Files, serve};
pub use runtime::files::{FileKind, Owner, Seen, Writing};
use rustix::io::Errno;
use serde_json::{Map, Value};
use storage::{Access, View};
use tasks::{Claim, Guard};
use tokio::{io::AsyncWriteExt, sync::oneshot, task::JoinHandle};

use super::{boot::root_volume, guests::Phase, options::Typed};
use crate::{Caller, Error, Result, World, blocking::blocking, expand, url};

/// An access to the files of one instance.
pub struct Session {
    files: Arc<Files>,
    /// What ends the access to a volume, once `files` is dropped.
    ended: Option<JoinHandle<()>>,
}

/// What was asked for.
pub enum Found {
    /// A file, and how many bytes of it are to be sent.
    File(Open),
    /// Where a link leads.
    Link(String),
    /// The names in a folder.
    Folder(Vec<String>),
}

/// A file that is being read, and what has to stay open meanwhile.
pub struct Open {
    /// The file.
    pub file: File,
    /// What it lies in; to be closed when it was read.
    pub session: Session,
}

/// What is to be put somewhere.
pub enum New<S> {
    /// A file with these contents.
    File(S, Writing),
    /// A folder.
    Folder,
    /// A link that leads there.
    Link(PathBuf),
}

impl Session {
    /// Opens the files of an instance.
    pub async fn open(world: &Arc<World>, project: &str, name: &str) -> Result<Session> {
        loop {
            world.store.read(|db| super::find(db, project, name))?;
            if let Some(session) = running(world, project, name).await? {
                return Ok(session);
            }
            let claim = [Claim::alone(super::lock_name(project, name))];
            let guard = world.locks().lock(&claim, "an access to its files").await;
            match world.guests.get(project, name) {
                None => return stopped(world, project, name, guard).await,
                // Just started.
                Some(guest) if guest.phase() != Phase::Gone => drop(guard),
                Some(guest) => guest.gone().await,
            }
        }
    }

    /// Asks something about the files.
    pub async fn ask<T: Send + 'static>(
        &self,
        what: impl FnOnce(&Files) -> runtime::Result<T> + Send + 'static,
    ) -> Result<T> {
        let files = self.files.clone();
        blocking("access to files", move || what(&files)).await.map_err(explain)
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

async fn running(world: &World, project: &str, name: &str) -> Result<Option<Session>> {
    let runs = |phase| matches!(phase, Phase::Running | Phase::Frozen);
    let guest = world.guests.get(project, name).filter(|guest| runs(guest.phase()));
    let Some(guest) = guest else { return Ok(None) };
    let files = blocking("open files", move || guest.monitor().files()).await?;
    Ok(Some(Session { files: Arc::new(files), ended: None }))
}

/// Opens the volume and lets a thread serve it. The whole is one task of its own, so that what was
/// begun is ended even if whoever asked goes away.
async fn stopped(world: &World, project: &str, name: &str, guard: Guard) -> Result<Session> {
    let typed = world.store.read(|db| {
        let row = super::find(db, project, name)?;
        Typed::parse(&expand::expand(db, &row)?)
    })?;
    let pool = world.pools.open(world, typed.root_pool()?).await?;
    let volume = root_volume(project, name)?;
    let (files, theirs) = Files::pair()?;
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
                warn(served, "files of a stopped instance");
            }
            Err(error) => drop(told.send(Err(error))),
        }
        warn(blocking("close volume", move || pool.detach(&volume)).await, "close of a volume");
        drop(guard);
    });
    opened.await.unwrap_or(Err(Error::Broken("access to files")))?;
    Ok(Session { files: Arc::new(files), ended: Some(ended) })
}

fn warn(result: Result<()>, what: &str) {
    if let Err(error) = result {
        tracing::warn!(error = tasks::chain(&error), "{what}");
    }
}

/// Opens what is there.
pub async fn get(
    world: &Arc<World>,
    caller: &Caller,
    project: &str,
    name: &str,
    path: &Path,
) -> Result<(Seen, Found)> {
    let session = Session::open(world, project, name).await?;
    let asked = path.to_owned();
    let seen = session.ask(move |files| files.look(&asked, false)).await;
    let asked = path.to_owned();
    let found = match seen.as_ref().map(|seen| seen.kind) {
        Ok(FileKind::File) => match session.ask(move |files| files.read(&asked)).await {
            Ok(file) => {
                told(world, caller, project, name, "instance-file-retrieved", path);
                return Ok((seen?, Found::File(Open { file, session })));
            }
            Err(error) => Err(error),
        },
        Ok(FileKind::Link) => session.ask(move |files| files.link(&asked)).await.map(Found::Link),
        Ok(FileKind::Folder) => {
            let names = session.ask(move |files| files.list(&asked)).await;
            names.map(|all| Found::Folder(all.into_iter().map(|entry| entry.name).collect()))
        }
        Ok(FileKind::Other) => Err(invalid(path, "it is neither a file nor a folder nor a link")),
        Err(_) => Ok(Found::Folder(Vec::new())),
    };
    session.close().await;
    Ok((seen?, found?))
}

/// Looks at what is there.
pub async fn look(world: &Arc<World>, project: &str, name: &str, path: &Path) -> Result<Seen> {
    let path = path.to_owned();
    let session = Session::open(world, project, name).await?;
    let seen = session.ask(move |files| files.look(&path, false)).await;
    session.close().await;
    seen
}

/// Makes or writes something.
pub async fn put<S, E>(
    world: &Arc<World>,
    caller: &Caller,
    (project, name): (&str, &str),
    path: &Path,
    (new, owner): (New<S>, Owner),
) -> Result<()>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::error::Error + Send + Sync + 'static,
{
    let session = Session::open(world, project, name).await?;
    let at = path.to_owned();
    let made = match new {
        New::File(body, how) => write(&session, path, how, owner, body).await,
        New::Folder => session.ask(move |files| files.make_folder(&at, owner)).await,
        New::Link(to) => session.ask(move |files| files.make_link(&at, &to, owner)).await,
    };
    session.close().await;
    made?;
    told(world, caller, project, name, "instance-file-pushed", path);
    Ok(())
}

/// Writes what comes. A file that is replaced is so only once all has come.
async fn write<S, E>(
    session: &Session,
    path: &Path,
    how: Writing,
    owner: Owner,
    mut body: S,
) -> Result<()>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::error::Error + Send + Sync + 'static,
{
    /// Bytes gathered before they are written.
    const BUFFER: usize = 1 << 20;
    let at = path.to_owned();
    let file = session.ask(move |files| files.write(&at, how, owner)).await?;
    let failed = |source| explain(Error::File { verb: "write", path: text(path), source });
    let file = tokio::fs::File::from_std(file);
    let mut file = tokio::io::BufWriter::with_capacity(BUFFER, file);
    while let Some(block) = body.next().await {
        let block = block.map_err(|error| Error::invalid("body", error))?;
        file.write_all(&block).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)?;
    let file = file.into_inner();
    // What has a name is whole, and what was answered is there, also after a power cut.
    file.sync_data().await.map_err(failed)?;
    let at = path.to_owned();
    session.ask(move |files| files.commit(&at)).await?;
    file.sync_all().await.map_err(failed)
}

/// Deletes a file, a link or an empty folder.
pub async fn delete(
    world: &Arc<World>,
    caller: &Caller,
    project: &str,
    name: &str,
    path: &Path,
) -> Result<()> {
    let session = Session::open(world, project, name).await?;
    let at = path.to_owned();
    let deleted = session.ask(move |files| files.remove(&at, None)).await;
    session.close().await;
    deleted?;
    told(world, caller, project, name, "instance-file-deleted", path);
    Ok(())
}

/// When a file was changed, as clients know it.
pub fn modified(seen: &Seen) -> String {
    let at = chrono::DateTime::from_timestamp(seen.modified, 0).unwrap_or_default();
    at.format("%Y-%m-%d %H:%M:%S +0000 UTC").to_string()
}

fn told(world: &World, caller: &Caller, project: &str, name: &str, action: &str, path: &Path) {
    let context = Map::from_iter([("file".to_owned(), Value::from(text(path)))]);
    world.tell_with(caller, project, action, url::instance(project, name), context);
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn invalid(path: &Path, why: &str) -> Error {
    Error::invalid("path", format!("\"{}\": {why}", path.display()))
}

/// What the instance's file system says is no defect of ours.
fn explain(error: Error) -> Error {
    let (path, source) = match &error {
        Error::Runtime(runtime::Error::Step { object, source, .. }) => (object, source),
        Error::File { path, source, .. } => (path, source),
        _ => return error,
    };
    let why = match source.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOENT) => return Error::not_found("file", path),
        Some(Errno::NOTDIR) => "something on the way to it is no folder",
        Some(Errno::ISDIR) => "it is a folder",
        Some(Errno::EXIST) => "something else is there already",
        Some(Errno::NOTEMPTY) => "the folder is not empty",
        Some(Errno::LOOP) => "its links lead in a circle",
        Some(Errno::OPNOTSUPP | Errno::NXIO) => "it is neither a file nor a folder",
        Some(Errno::BUSY) => "something is mounted there",
        Some(Errno::ROFS) => "it is read-only",
        Some(Errno::INVAL | Errno::OVERFLOW) => {
            "the instance has no such user or group, or no such name can be"
        }
        Some(Errno::ACCESS | Errno::PERM) => "the instance's root may not do that there",
        Some(Errno::NOSPC | Errno::DQUOT) => "no space is left",
        Some(Errno::NAMETOOLONG) => "the name is too long",
        Some(Errno::TOOBIG) => "too many names are in the folder",
        _ => return error,
    };
    invalid(Path::new(path), why)
}
