//! Backups, whatever they are of: files that are made, wait to be fetched, and go away by the clock.
//!
//! ```text
//! make:   row (creating) ─> [who writes into it is paused ─> a copy ─> goes on] ─> file ─> row (ready)
//! import: a file that came ─> rows (creating) ─> files ─> snapshots ─> rows (ready)
//! ```
//! What an owner of backups must tell of itself is [`Owner`] and [`Source`]; instances, custom volumes
//! and buckets do so in a folder `backups/` each, where also stands what becomes of a file that is
//! imported. The layout of the file is `images::backup`'s. One that is being written has a dot before
//! its name.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use exec::Control;
use images::Packing;
use serde::{Serialize, de::DeserializeOwned};
use storage::VolumeId;
use store::Read;
use tasks::Request;
use tempfile::TempPath;
use wire::Timestamp;

use crate::{
    Caller, Error, Result, World,
    db::{
        backups::{Backup, Table},
        instances::Made,
    },
    depots::{self, Depot, Held},
    disk::absent_is_done,
};

mod contents;
mod delete;
mod list;
mod make;
mod rename;
mod streams;
mod unpack;

pub(crate) use self::{
    contents::{Contents, Out, Part},
    delete::{Delete, expire},
    list::{render_all, rendered},
    make::Make,
    rename::Rename,
    streams::{check_form, empty},
    unpack::{Unpack, Write, disk, index, limits},
};
pub use self::{
    delete::delete,
    list::{file, get, list},
    make::make,
    rename::rename,
};

/// The words by which backups of a kind of owner are known.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// The owner: `instance`.
    pub owner: &'static str,
    /// What its making is called while it goes on.
    pub making: &'static str,
    /// The kinds of its tasks in journals.
    pub make: &'static str,
    /// Of a deletion.
    pub delete: &'static str,
    /// Of a renaming.
    pub rename: &'static str,
    /// Lifecycle events: made, deleted, renamed, fetched.
    pub events: [&'static str; 4],
}

/// What has backups.
pub trait Owner: Clone + fmt::Debug + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The words for them.
    const WORDS: Words;
    /// Where their rows are.
    const ROWS: Table;
    /// What clients see of one.
    type Shown: Send;

    /// Its project.
    fn project(&self) -> &str;
    /// Its name.
    fn name(&self) -> &str;
    /// The owner with that row, if it is whole and on this member.
    fn here(db: &Read<'_>, me: &str, id: i64) -> Result<Option<Self>>;
    /// The key of its row; it must be whole.
    fn id(&self, db: &Read<'_>) -> Result<i64>;
    /// Where the files of its backups are, within the depot of backups; `id` is the key of its row.
    fn folder(&self, id: i64) -> PathBuf;
    /// The address of one.
    fn url(&self, backup: &str) -> String;
    /// An operation on it, which has it for itself.
    fn request(&self, world: &World, words: &str, caller: &Caller) -> Request;
    /// What clients see of a row.
    fn render(row: Backup) -> Self::Shown;
}

/// What goes into a backup of an owner.
pub trait Source: Owner {
    /// The pool and the volume that is read.
    fn volume(&self, db: &Read<'_>) -> Result<(String, VolumeId)>;
    /// A copy of the volume that is read while who writes into it goes on. Nothing else is called so.
    fn side(&self, db: &Read<'_>, id: i64) -> Result<VolumeId>;
    /// The instances that run and may write into it: project and name.
    fn writers(&self, world: &World) -> impl Future<Output = Result<Vec<(String, String)>>> + Send;
    /// The instance that it is, if it is one: it goes on even if it is not known who was paused.
    fn itself(&self) -> Option<(String, String)> {
        None
    }
    /// Writes the file, durably.
    fn write(&self, world: &World, job: Job) -> impl Future<Output = Result<()>> + Send;
}

/// A file that is to be written.
#[derive(Debug)]
pub struct Job {
    /// Where to.
    pub to: PathBuf,
    /// The same, if it goes with whoever lets go of it last: who writes may be at it for longer than who asked.
    pub kept: Option<Arc<TempPath>>,
    /// The pool that is read.
    pub pool: String,
    /// The owner's volume.
    pub volume: VolumeId,
    /// What is read in its place: itself, or a copy that nobody writes to.
    pub root: VolumeId,
    /// Whether the snapshots are left out.
    pub without_snapshots: bool,
    /// Whether streams of the driver take the place of files, where it has them.
    pub optimized: bool,
    /// Whether a disk as it is now is left blank: what is on it goes another way.
    pub blank: bool,
    /// How it is compressed.
    pub packing: Packing,
    /// Progress and cancel.
    pub control: Control,
}

/// A backup that is asked for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Its name; one is found where it is empty.
    pub name: String,
    /// When it is deleted by itself.
    pub expires_at: Option<Timestamp>,
    /// Whether the snapshots are left out.
    pub without_snapshots: bool,
    /// Whether it may be what only the pool's driver reads.
    pub optimized: bool,
    /// How it is compressed; what holds otherwise where it is empty.
    pub compression: String,
}

/// A file that a client sent.
#[derive(Clone, Debug, Default)]
pub struct Upload {
    /// The file, in the cache folder.
    pub file: PathBuf,
    /// The name for what is made of it, if it is another.
    pub name: Option<String>,
    /// The pool for it, if it is another.
    pub pool: Option<String>,
}

/// A backup that is whole.
fn find<O: Owner>(db: &Read<'_>, owner: &O, name: &str) -> Result<Backup> {
    let found = O::ROWS.get(db, owner.id(db)?, name)?.filter(|row| row.made == Made::Ready);
    found.ok_or_else(|| Error::not_found("backup", &format!("{}/{name}", owner.name())))
}

/// Where the file of a backup is, within the depot.
fn path<O: Owner>(owner: &O, id: i64, name: &str) -> PathBuf {
    owner.folder(id).join(name)
}

/// Has the files of backups stay where they are until the result is dropped.
pub(crate) async fn hold(world: &World) -> Result<Held> {
    depots::hold(world, Depot::Backups).await
}

/// Fails where an owner has backups that cannot be reached: they would be lost if it went, or had another name.
pub(crate) fn check_reached(world: &World, db: &Read<'_>, rows: Table, id: i64) -> Result<()> {
    match world.depots.path(Depot::Backups) {
        Err(error) if !rows.of(db, id)?.is_empty() => Err(error),
        _ => Ok(()),
    }
}

/// An operation on a backup. The whole owner is claimed.
fn request<O: Owner>(
    world: &World,
    words: &str,
    caller: &Caller,
    owner: &O,
    name: &str,
) -> Request {
    // Clients of LXD 5.0 take the name from this form alone.
    owner.request(world, words, caller).resource("backups", format!("/1.0/backups/{name}"))
}

/// Removes a file; none is Ok.
pub(crate) async fn remove(path: &Path) -> Result<()> {
    absent_is_done(tokio::fs::remove_file(path).await, "remove", path)
}

/// Removes a file of the depot; none is Ok.
async fn remove_kept(world: &World, file: &Path) -> Result<()> {
    let held = hold(world).await?;
    remove(&held.folder().join(file)).await
}

/// Removes the files of all backups of an owner, whose folder in the depot is given; none is Ok.
pub(crate) async fn remove_all(world: &World, folder: &Path) -> Result<()> {
    let held = match hold(world).await {
        // Who has some was refused ([`check_reached`]).
        Err(Error::NoDepot { .. }) => return Ok(()),
        held => held?,
    };
    let folder = held.folder().join(folder);
    absent_is_done(tokio::fs::remove_dir_all(&folder).await, "remove", &folder)
}

/// Moves a file, or the files of all backups along with their owner, within the depot; none is Ok.
pub(crate) async fn follow(world: &World, from: &Path, to: &Path) -> Result<()> {
    let held = hold(world).await?;
    let [from, to] = [from, to].map(|path| held.folder().join(path));
    absent_is_done(tokio::fs::rename(&from, &to).await, "move", &from)
}
