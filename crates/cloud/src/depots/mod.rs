//! Depots: where this daemon keeps the files of images and of backups. Each is in its own folder, or on a custom volume
//! that an option names (`storage.images_volume`, `storage.backups_volume`).
//!
//! ```text
//! own folder <──change──> a volume <──change──> another volume
//!                            └ not there: nothing is read or written there until it is (look)
//! ```
//! Which one it is the option's row says and nothing else: one write moves a depot, after its files were copied and
//! before the old ones are deleted (`change.rs`). On a volume it is a folder with a mark ([`MARK`]) in it: an empty
//! mountpoint has none, so nobody writes there.
//!
//! Who reads or writes files of a depot holds it ([`hold`]), shared with others; who moves it has it alone. Nobody
//! holds one twice: a move that waits in between would wait for ever.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use options::{Options, PoolVolume, server::ServerOptions};
use serde::{Deserialize, Serialize};
use storage::Attached;
use store::Read;
use tasks::{Claim, Guard};

use crate::{
    Dirs, Error, Result, World, blocking::blocking, db::server as rows, names::DEFAULT_PROJECT,
    volumes::Key,
};

mod change;
mod check;
mod contents;

pub(crate) use self::{
    change::{Change, submit},
    check::{check_backup, of_members},
};

/// A file in each depot that lies on a volume.
pub(crate) const MARK: &str = ".microcloud";

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Depot {
    /// The files of images.
    Images,
    /// The files of backups, whatever they are of.
    Backups,
}

impl Depot {
    /// Both.
    pub(crate) const ALL: [Depot; 2] = [Depot::Images, Depot::Backups];

    /// The option that says where it is.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Depot::Images => "storage.images_volume",
            Depot::Backups => "storage.backups_volume",
        }
    }

    /// What its folder is called; it is also the word for what is in it.
    fn folder(self) -> &'static str {
        match self {
            Depot::Images => "images",
            Depot::Backups => "backups",
        }
    }

    fn claim(self) -> String {
        format!("depot/{}", self.folder())
    }

    /// The volume that the options name for it.
    fn named(self, options: &ServerOptions) -> Option<Key> {
        let named = match self {
            Depot::Images => options.images_volume.as_ref(),
            Depot::Backups => options.backups_volume.as_ref(),
        };
        named.map(volume)
    }

    /// In the server's own folder.
    fn own(self, dirs: &Dirs) -> PathBuf {
        match self {
            Depot::Images => dirs.images(),
            Depot::Backups => dirs.backups(),
        }
    }
}

/// The volume that an option names.
fn volume(named: &PoolVolume) -> Key {
    let PoolVolume { pool, volume } = named.clone();
    Key { pool, project: DEFAULT_PROJECT.to_owned(), name: volume }
}

/// How an option names a volume.
fn label(volume: &Key) -> String {
    format!("{}/{}", volume.pool, volume.name)
}

/// The volume on which this member keeps it, if it is on one.
fn chosen(db: &Read<'_>, depot: Depot) -> Result<Option<Key>> {
    Ok(depot.named(&ServerOptions::parse_known(&rows::get(db)?)?))
}

/// Where the depots are now.
#[derive(Debug)]
pub(crate) struct Depots(Mutex<[State; 2]>);

#[derive(Clone, Debug)]
enum State {
    /// In the server's own folder.
    Own(PathBuf),
    /// On a volume, as the option names it.
    On { folder: PathBuf, volume: String },
    /// The volume is not there.
    Away { volume: String, why: String },
}

impl Depots {
    /// In the server's own folder, until somebody looked.
    pub(crate) fn new(dirs: &Dirs) -> Depots {
        Depots(Mutex::new(Depot::ALL.map(|depot| State::Own(depot.own(dirs)))))
    }

    /// Where one is. Who does more than to look holds it, see [`hold`].
    ///
    /// # Errors
    /// Its volume is not there.
    pub(crate) fn path(&self, depot: Depot) -> Result<PathBuf> {
        let state = self.all()[depot as usize].clone();
        let (volume, why) = match state {
            State::Own(folder) => return Ok(folder),
            // Its pool may be gone, and nobody have looked yet.
            State::On { folder, .. } if folder.join(MARK).is_file() => return Ok(folder),
            State::On { volume, .. } => (volume, String::from("it is not mounted")),
            State::Away { volume, why } => (volume, why),
        };
        Err(Error::NoDepot { what: depot.folder(), key: depot.key(), volume, why })
    }

    /// Whether it can be read and written.
    pub(crate) fn is_there(&self, depot: Depot) -> bool {
        self.path(depot).is_ok()
    }

    /// What is wrong with those that are not there.
    pub(crate) fn troubles(&self) -> Option<String> {
        let away = Depot::ALL.iter().filter_map(|depot| self.path(*depot).err());
        let said: Vec<String> = away.map(|error| tasks::chain(&error)).collect();
        (!said.is_empty()).then(|| said.join("; "))
    }

    fn set(&self, depot: Depot, state: State) {
        self.all()[depot as usize] = state;
    }

    fn all(&self) -> MutexGuard<'_, [State; 2]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A depot that stays where it is.
pub struct Held {
    folder: PathBuf,
    _guard: Guard,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Held {
    /// Its folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes a folder within it, and says where it is. The depot's own folder is never made by that: where it is not
    /// there, something else would be written to.
    pub(crate) fn make(&self, within: &Path) -> Result<PathBuf> {
        let mut folder = self.folder.clone();
        for part in within {
            folder.push(part);
            match std::fs::create_dir(&folder) {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                made => made.map_err(Error::file("make", &folder))?,
            }
        }
        Ok(folder)
    }
}

/// Has a depot stay where it is until the result is dropped. While it is moved, this waits.
///
/// # Errors
/// Its volume is not there.
pub(crate) async fn hold(world: &World, depot: Depot) -> Result<Held> {
    let claim = [Claim::shared(depot.claim())];
    let guard = world.locks().lock(&claim, "work on the files of images or backups").await;
    Ok(Held { folder: world.depots.path(depot)?, _guard: guard })
}

/// Finds the depots where the options say that they are: at start, and as pools come and go.
pub(crate) async fn look(world: &World) -> Result<()> {
    for depot in Depot::ALL {
        // One that is being moved is found by who moves it.
        let claim = [Claim::shared(depot.claim())];
        let Ok(guard) = world.locks().try_lock(&claim, "the search for images or backups") else {
            continue;
        };
        find(world, depot).await?;
        drop(guard);
    }
    Ok(())
}

/// Finds one. Whoever asks holds it.
async fn find(world: &World, depot: Depot) -> Result<()> {
    let before = world.depots.is_there(depot);
    let chosen = world.store.read(|db| chosen(db, depot))?;
    let (state, said) = match chosen {
        None => (State::Own(depot.own(&world.dirs)), None),
        Some(volume) => match on(world, &volume, depot).await {
            Ok(folder) => (State::On { folder, volume: label(&volume) }, None),
            Err(error) => {
                let (volume, why) = (label(&volume), tasks::chain(&error));
                (State::Away { volume, why: why.clone() }, Some(why))
            }
        },
    };
    if let Some(why) = said.filter(|_| before) {
        tracing::warn!(depot = depot.folder(), why, "the volume of the daemon is not there");
    }
    if let (Depot::Images, State::On { folder, .. }, false) = (depot, &state, before) {
        // What was deleted while it was away. Nobody writes there yet.
        crate::images::clean_folder(world, folder)?;
    }
    world.depots.set(depot, state);
    Ok(())
}

/// The folder of a depot on a volume where it lies already.
async fn on(world: &World, volume: &Key, depot: Depot) -> Result<PathBuf> {
    let folder = attach(world, volume).await?.join(depot.folder());
    match folder.join(MARK).is_file() {
        true => Ok(folder),
        false => Err(Error::not_found("folder of this daemon on it", depot.folder())),
    }
}

/// Mounts a volume of files; it stays mounted.
async fn attach(world: &World, volume: &Key) -> Result<PathBuf> {
    world.store.read(|db| volume.find(db))?;
    let (pool, id) = (world.pools.open(world, &volume.pool).await?, volume.on_disk()?);
    let attached = blocking("attach volume", move || {
        pool.check()?;
        pool.attach(&id)
    });
    match attached.await? {
        Attached::Path(folder) => Ok(folder),
        Attached::Overlay { .. } | Attached::Block(_) => {
            Err(Error::Unsupported("a volume of this kind as a folder of the daemon"))
        }
    }
}
