//! Custom volumes: storage of its own that instances attach. One verb a file.
//!
//! ```text
//! create: row (creating) ─> files ─> row (ready)
//! delete: row (deleting), refused while somebody names it ─> files ─> row gone
//! ```
//! A volume belongs to the home of `features.storage.volumes` of its project: the project itself or
//! `default`. Who uses one is not noted anywhere: it is read from the devices of instances and profiles
//! ([`users`]), in the same transaction as the change that depends on it. On disk a volume is called
//! `<project>_<name>`, for names may hold a `_` and projects may not.
//!
//! Roots of instances and images are volumes too, and only listed here: they come and go with what
//! they belong to.

use options::{AnyVolumeOptions, Options, Raw, VolumeOptions};
use serde::{Deserialize, Serialize};
use storage::{VolumeId, VolumeKind};
use store::Read;
use tasks::Request;

use crate::{
    Caller, Error, Result, World,
    db::{
        instances::Made,
        volumes::{self as rows, Volume},
    },
    names, url,
};

pub(crate) mod attach;
pub mod backups;
pub(crate) mod config;
mod copy;
mod create;
mod delete;
pub(crate) mod keeper;
mod list;
mod refresh;
mod relocate;
mod rename;
pub mod snapshots;
mod state;
mod update;
mod users;

pub(crate) use self::{
    copy::Copy, create::Create, delete::Delete, refresh::Refresh, relocate::Relocate,
    rename::Rename, update::Update, users::Uses,
};
pub use self::{
    copy::copy,
    create::create,
    delete::delete,
    list::{all, check_kind, get, list},
    relocate::relocate,
    rename::rename,
    state::state,
    update::update,
};

/// Which custom volume.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// Its pool.
    pub pool: String,
    /// The project it is in: a home, see [`home`].
    pub project: String,
    /// Its name.
    pub name: String,
}

impl Key {
    /// The custom volume that a request names, by its pool, project, kind and name.
    pub fn asked(
        world: &World,
        (pool, project, kind, name): (&str, &str, &str, &str),
    ) -> Result<Key> {
        custom(kind)?;
        world.store.read(|db| Key::of(db, pool, project, name))
    }

    /// The volume that a request names.
    pub(crate) fn of(db: &Read<'_>, pool: &str, project: &str, name: &str) -> Result<Key> {
        crate::storage::find(db, pool)?;
        let project = home(db, project)?;
        Ok(Key { pool: pool.to_owned(), project, name: name.to_owned() })
    }

    /// The volume's row, if it is whole.
    pub(crate) fn find(&self, db: &Read<'_>) -> Result<Volume> {
        self.row(db)?
            .filter(|row| row.made == Made::Ready)
            .ok_or_else(|| Error::not_found("storage volume", &self.name))
    }

    /// The volume's row, whatever its state.
    pub(crate) fn row(&self, db: &Read<'_>) -> Result<Option<Volume>> {
        Ok(rows::get(db, &self.pool, &self.project, &self.name)?)
    }

    /// How the pool calls it.
    pub(crate) fn on_disk(&self) -> Result<VolumeId> {
        Ok(VolumeId::new(VolumeKind::Custom, names::custom_volume(&self.project, &self.name))?)
    }

    /// What claims it.
    pub(crate) fn claim(&self) -> String {
        format!("volume/{}/{}/{}", self.pool, self.project, self.name)
    }

    /// Its address.
    pub fn url(&self) -> String {
        url::of(&format!("storage-pools/{}/volumes/custom", self.pool), &self.name, &self.project)
    }

    /// The same volume by another name.
    pub(crate) fn named(&self, name: &str) -> Key {
        Key { name: name.to_owned(), ..self.clone() }
    }

    /// An operation on it, which has it for itself.
    fn request(&self, words: &str, caller: &Caller) -> Request {
        Request::new(words)
            .project(self.project.clone())
            .resource("storage_volumes", self.url())
            .requestor(caller.requestor.clone())
            .lock(self.claim())
    }

    fn tell(&self, world: &World, caller: &Caller, action: &str) {
        world.tell(caller, &self.project, action, self.url());
    }
}

/// The key of a volume's row.
pub(crate) fn key_of(row: &Volume) -> Key {
    Key { pool: row.pool.clone(), project: row.project.clone(), name: row.name.clone() }
}

/// The project in which volumes of `project` live.
pub(crate) fn home(db: &Read<'_>, project: &str) -> Result<String> {
    Ok(crate::projects::find(db, project)?.home_of("features.storage.volumes").to_owned())
}

/// Only custom volumes are made and changed by themselves.
fn custom(kind: &str) -> Result<()> {
    check_kind(kind)?;
    match kind {
        "custom" => Ok(()),
        _ => Err(Error::Unsupported("a change of a volume that belongs to an instance or image")),
    }
}

/// What a volume's options mean.
pub(crate) fn typed(config: &Raw) -> Result<VolumeOptions> {
    Ok(AnyVolumeOptions::parse(config)?.common)
}
