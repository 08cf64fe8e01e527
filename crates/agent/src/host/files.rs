//! Files inside, as the daemon sees them: with the verbs of a container's.
//!
//! A file's descriptor cannot leave the machine. So what is read comes into a file without a name,
//! and what is written waits in one until it is committed. Each verb blocks: they are for threads
//! that may.

use std::{
    fs::File,
    io::{self, Seek},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use hyper::Method;
use runtime::{
    Error as Failure, Result,
    files::{Ask, Change, Entry, FileKind, Owner, Seen, Told, Writing},
};

use super::{Agent, call::Requests, spool};
use crate::{
    body::Body,
    error::Error,
    limits,
    words::{Opened, Place},
};

/// The files of one machine. It answers one request at a time; what was written and not committed
/// is gone with it.
#[derive(Debug)]
pub struct Files {
    requests: Requests,
    id: u64,
    /// Where files without a name are made.
    spool: PathBuf,
    /// What waits to be committed.
    written: Mutex<Option<File>>,
}

impl Drop for Files {
    fn drop(&mut self) {
        let request = self.requests.request(Method::DELETE, &self.at(""), Body::empty());
        let requests = self.requests.clone();
        self.requests.runtime.spawn(async move {
            // If the connection is gone, the agent knows.
            let _ = requests.done("close files", request, limits::CALL).await;
        });
    }
}

impl Agent {
    /// Opens the machine's files, with `root` as their ceiling. In `spool`, a folder on a disk, are
    /// contents on their way. Blocks.
    pub fn files(&self, root: &Path, spool: &Path) -> Result<Files> {
        let place = Place { root: root.into() };
        let request = self.requests.json(Method::POST, "/1.0/files", &place);
        let opened = self.requests.whole::<Opened>("open files", request, limits::WORK);
        let Opened { id } = self.requests.runtime.block_on(opened)?;
        let (requests, spool) = (self.requests.clone(), spool.to_owned());
        Ok(Files { requests, id, spool, written: Mutex::new(None) })
    }
}

impl Files {
    /// What is there; with `follow` where a link leads.
    pub fn look(&self, path: &Path, follow: bool) -> Result<Seen> {
        match self.ask("look at", path, &Ask::Look { path: path.into(), follow })? {
            Told::Seen { seen } => Ok(seen),
            _ => Err(Failure::Unsupported),
        }
    }

    /// The names in a folder, sorted.
    pub fn list(&self, path: &Path) -> Result<Vec<Entry>> {
        match self.ask("list", path, &Ask::List { path: path.into() })? {
            Told::List { entries } => Ok(entries),
            _ => Err(Failure::Unsupported),
        }
    }

    /// Where a link leads, as it says.
    pub fn link(&self, path: &Path) -> Result<String> {
        self.path("read", path, &Ask::Link { path: path.into() })
    }

    /// A path in order: no `.`, no `..`.
    pub fn resolve(&self, path: &Path) -> Result<String> {
        self.path("resolve", path, &Ask::Resolve { path: path.into() })
    }

    /// A copy of a regular file, for reading.
    pub fn read(&self, path: &Path) -> Result<File> {
        self.done("read", path, &Ask::Read { path: path.into() })?;
        self.fetch("read", path)
    }

    /// A file to be written; it takes effect by a [`Files::commit`], however it is written.
    pub fn write(&self, path: &Path, how: Writing, owner: Owner) -> Result<File> {
        let edited = matches!(how, Writing::Within { truncate: false, .. });
        let how = match how {
            // What is there is fetched first.
            Writing::Within { create, truncate, new, .. } => {
                Writing::Within { read: true, create, truncate, new }
            }
            how => how,
        };
        self.done("write", path, &Ask::Write { path: path.into(), how, owner })?;
        let file = match edited {
            true => self.fetch("write", path)?,
            false => spool::empty(&self.spool).map_err(at("make", &self.spool))?,
        };
        *self.written() = Some(file.try_clone().map_err(at("write", path))?);
        Ok(file)
    }

    /// Sends what was written, and lets it take its place; then it is on the machine's disk.
    pub fn commit(&self, path: &Path) -> Result<()> {
        if let Some(file) = self.written().take() {
            let contents = self.at("/content");
            let send = spool::send(&self.requests, &contents, file);
            self.requests.runtime.block_on(send).map_err(named("write", path))?;
        }
        self.done("write", path, &Ask::Commit)
    }

    /// Makes a folder; one that is there is fine.
    pub fn make_folder(&self, path: &Path, owner: Owner) -> Result<()> {
        self.done("make", path, &Ask::MakeFolder { path: path.into(), owner })
    }

    /// Makes a symbolic link, in place of one that is there.
    pub fn make_link(&self, path: &Path, target: &Path, owner: Owner) -> Result<()> {
        self.done("make", path, &Ask::MakeLink { path: path.into(), target: target.into(), owner })
    }

    /// Renames something.
    pub fn rename(&self, from: &Path, to: &Path, replace: bool) -> Result<()> {
        self.done("rename", from, &Ask::Rename { from: from.into(), to: to.into(), replace })
    }

    /// Removes a file, a link or an empty folder; with `kind` only such a thing.
    pub fn remove(&self, path: &Path, kind: Option<FileKind>) -> Result<()> {
        self.done("remove", path, &Ask::Remove { path: path.into(), kind })
    }

    /// Changes owner, permissions, size, times.
    pub fn change(&self, path: &Path, change: &Change) -> Result<()> {
        self.done("change", path, &Ask::Change { path: path.into(), change: *change })
    }

    fn done(&self, verb: &'static str, path: &Path, ask: &Ask) -> Result<()> {
        self.ask(verb, path, ask).map(drop)
    }

    fn path(&self, verb: &'static str, path: &Path, ask: &Ask) -> Result<String> {
        match self.ask(verb, path, ask)? {
            Told::Path { path } => Ok(path.to_string_lossy().into_owned()),
            _ => Err(Failure::Unsupported),
        }
    }

    fn ask(&self, verb: &'static str, path: &Path, ask: &Ask) -> Result<Told> {
        let request = self.requests.json(Method::POST, &self.at(""), ask);
        let told = self.requests.whole("access files", request, limits::LIST);
        self.requests.runtime.block_on(told).map_err(named(verb, path))
    }

    /// The contents of the file that is open inside.
    fn fetch(&self, verb: &'static str, path: &Path) -> Result<File> {
        let file = spool::empty(&self.spool).map_err(at("make", &self.spool))?;
        let copy = file.try_clone().map_err(at(verb, path))?;
        let contents = self.at("/content");
        let fetch = spool::fetch(&self.requests, &contents, copy);
        self.requests.runtime.block_on(fetch).map_err(named(verb, path))?;
        let mut file = file;
        file.rewind().map_err(at(verb, path))?;
        Ok(file)
    }

    fn at(&self, what: &str) -> String {
        format!("/1.0/files/{}{what}", self.id)
    }

    fn written(&self) -> std::sync::MutexGuard<'_, Option<File>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn at(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Failure {
    let object = path.display().to_string();
    move |source| Failure::Step { operation: verb.into(), object, source }
}

/// What failed inside is told as of this path.
fn named(verb: &'static str, path: &Path) -> impl FnOnce(Error) -> Failure {
    let object = path.display().to_string();
    move |error| match error {
        Error::Step { source, .. } => Failure::Step { operation: verb.into(), object, source },
        Error::Local { source, .. } => Failure::Step { operation: verb.into(), object, source },
        other => other.into(),
    }
}
