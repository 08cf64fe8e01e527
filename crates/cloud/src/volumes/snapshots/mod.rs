//! Snapshots of custom volumes: one verb a file. What they have in common with those of instances is in
//! [`crate::snapshots`].
//!
//! ```text
//! take: row (creating) ─> pause who has it mounted ─> files ─> go on ─> row (ready)
//! restore: refused while it is mounted ─> files as they were; options stay as they are
//! ```

use storage::Snapshots;
use store::Read;
use tasks::Request;

use super::Key;
use crate::{
    Caller, Error, Result, World,
    db::{
        instances::Made,
        volume_snapshots::{self as rows, Snapshot},
        volumes::Volume,
    },
    snapshots, url,
};

mod delete;
mod list;
mod rename;
mod restore;
mod take;
mod update;

pub use self::{
    delete::delete,
    list::{get, list},
    rename::rename,
    restore::restore,
    take::take,
    update::update,
};
pub(crate) use self::{
    delete::{Delete, expire},
    list::volumes,
    rename::Rename,
    restore::Restore,
    take::{Take, take_by_clock},
};

/// A snapshot that is whole, and its volume.
pub(crate) fn find(db: &Read<'_>, key: &Key, name: &str) -> Result<(Volume, Snapshot)> {
    let volume = key.find(db)?;
    let found = rows::get(db, volume.id, name)?.filter(|row| row.made == Made::Ready);
    let missing = || Error::not_found("snapshot", &format!("{}/{name}", key.name));
    Ok((volume, found.ok_or_else(missing)?))
}

/// The address of a snapshot.
pub fn address(key: &Key, name: &str) -> String {
    let path = format!("storage-pools/{}/volumes/custom/{}/snapshots", key.pool, key.name);
    url::of(&path, name, &key.project)
}

/// An operation on a snapshot. The whole volume is claimed.
fn request(words: &str, caller: &Caller, key: &Key, name: &str) -> Request {
    key.request(words, caller).resource("storage_volume_snapshots", address(key, name))
}

/// Does something with the snapshots of a volume in its pool.
pub(super) async fn on_disk<T: Send + 'static>(
    world: &World,
    key: &Key,
    what: &'static str,
    work: impl FnOnce(&dyn Snapshots, &storage::VolumeId) -> storage::Result<T> + Send + 'static,
) -> Result<T> {
    snapshots::on_disk(world, &key.pool, key.on_disk()?, what, work).await
}
