//! The files of an instance, whether it runs or not, and of a custom volume, whether it is in use or not.
//!
//! ```text
//! runs     a child of its monitor serves them, with the rights of its root
//! machine  the agent inside serves them
//! stopped  its volume is opened, and claimed, until the session is closed or dropped
//! volume   it is opened, and claimed beside others that use it
//! ```

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use runtime::files::File;
pub use runtime::files::{FileKind, Owner, Seen, Writing};
use rustix::io::Errno;
use serde_json::{Map, Value};
use tokio::io::AsyncWriteExt;

pub use self::session::Session;
use crate::{Caller, Error, Result, World, url, volumes::Key};

mod either;
mod session;
pub mod sftp;

/// Whose files they are.
#[derive(Clone, Debug)]
pub enum Of {
    /// An instance's root.
    Instance {
        /// Its project.
        project: String,
        /// Its name.
        name: String,
    },
    /// A custom volume, in use or not.
    Volume(Key),
}

impl Of {
    fn project(&self) -> &str {
        match self {
            Of::Instance { project, .. } => project,
            Of::Volume(key) => &key.project,
        }
    }

    /// Its address, and the word for it in lifecycle events.
    fn told_as(&self) -> (String, &'static str) {
        match self {
            Of::Instance { project, name } => (url::instance(project, name), "instance"),
            Of::Volume(key) => (key.url(), "storage-volume"),
        }
    }
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

/// Opens what is there.
pub async fn get(
    world: &Arc<World>,
    caller: &Caller,
    of: &Of,
    path: &Path,
) -> Result<(Seen, Found)> {
    let session = Session::open(world, of).await?;
    let asked = path.to_owned();
    let seen = session.ask(move |files| files.look(&asked, false)).await;
    let asked = path.to_owned();
    let found = match seen.as_ref().map(|seen| seen.kind) {
        Ok(FileKind::File) => match session.ask(move |files| files.read(&asked)).await {
            Ok(file) => {
                told(world, caller, of, "retrieved", path);
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
pub async fn look(world: &Arc<World>, of: &Of, path: &Path) -> Result<Seen> {
    let path = path.to_owned();
    let session = Session::open(world, of).await?;
    let seen = session.ask(move |files| files.look(&path, false)).await;
    session.close().await;
    seen
}

/// Makes or writes something.
pub async fn put<S, E>(
    world: &Arc<World>,
    caller: &Caller,
    of: &Of,
    path: &Path,
    (new, owner): (New<S>, Owner),
) -> Result<()>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::error::Error + Send + Sync + 'static,
{
    let session = Session::open(world, of).await?;
    let at = path.to_owned();
    let made = match new {
        New::File(body, how) => write(&session, path, how, owner, body).await,
        New::Folder => session.ask(move |files| files.make_folder(&at, owner)).await,
        New::Link(to) => session.ask(move |files| files.make_link(&at, &to, owner)).await,
    };
    session.close().await;
    made?;
    told(world, caller, of, "pushed", path);
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
pub async fn delete(world: &Arc<World>, caller: &Caller, of: &Of, path: &Path) -> Result<()> {
    let session = Session::open(world, of).await?;
    let at = path.to_owned();
    let deleted = session.ask(move |files| files.remove(&at, None)).await;
    session.close().await;
    deleted?;
    told(world, caller, of, "deleted", path);
    Ok(())
}

/// When a file was changed, as clients know it.
pub fn modified(seen: &Seen) -> String {
    let at = chrono::DateTime::from_timestamp(seen.modified, 0).unwrap_or_default();
    at.format("%Y-%m-%d %H:%M:%S +0000 UTC").to_string()
}

fn told(world: &World, caller: &Caller, of: &Of, done: &str, path: &Path) {
    let context = Map::from_iter([("file".to_owned(), Value::from(text(path)))]);
    let (address, word) = of.told_as();
    world.tell_with(caller, of.project(), &format!("{word}-file-{done}"), address, context);
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
