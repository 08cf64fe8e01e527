//! Snapshots of an instance: one verb a file.
//!
//! ```text
//! take: row (creating) ─> pause ─> files ─> go on ─> row (ready)
//! restore: stop ─> files and options as they were ─> start again
//! ```
//! The files are the storage pool's, the row says what the instance was. Who takes or deletes them
//! by the clock is `reconcile/snapshots.rs`.

use storage::{Snapshots, VolumeId};
use store::Read;
use tasks::Request;

use crate::{
    Caller, Error, Result, World,
    db::{
        instance_snapshots::{self as rows, Snapshot},
        instances::{Instance, Made},
        volumes,
    },
    url,
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
    list::{render_all, rendered},
    rename::Rename,
    restore::Restore,
    take::{Take, take_at_start, take_by_clock},
};

/// A snapshot that is whole, and its instance.
pub(crate) fn find(
    db: &Read<'_>,
    project: &str,
    instance: &str,
    name: &str,
) -> Result<(Instance, Snapshot)> {
    let instance = super::find(db, project, instance)?;
    let found = rows::get(db, instance.id, name)?.filter(|row| row.made == Made::Ready);
    let missing = || Error::not_found("snapshot", &format!("{}/{name}", instance.name));
    let snapshot = found.ok_or_else(missing)?;
    Ok((instance, snapshot))
}

/// The address of a snapshot.
pub fn address(project: &str, instance: &str, name: &str) -> String {
    url::of(&format!("instances/{instance}/snapshots"), name, project)
}

/// An operation on a snapshot. The whole instance is claimed.
fn request(
    world: &World,
    words: &str,
    caller: &Caller,
    project: &str,
    instance: &str,
    name: &str,
) -> Request {
    super::request(world, words, caller, project, instance)
        .resource("instances_snapshots", address(project, instance, name))
}

/// The pool that has an instance's root.
pub(crate) fn pool_of(db: &Read<'_>, project: &str, instance: &str) -> Result<String> {
    let kind = super::find(db, project, instance)?.kind();
    let volume = volumes::of_instance(db, project, kind.word(), instance)?;
    volume.map(|volume| volume.pool).ok_or_else(|| Error::not_found("root of instance", instance))
}

/// Does something with the snapshots of an instance's root.
pub(crate) async fn on_disk<T: Send + 'static>(
    world: &World,
    project: &str,
    instance: &str,
    what: &'static str,
    work: impl FnOnce(&dyn Snapshots, &VolumeId) -> storage::Result<T> + Send + 'static,
) -> Result<T> {
    let (pool, root) = world.store.read(|db| {
        Ok::<_, Error>((
            pool_of(db, project, instance)?,
            super::find(db, project, instance)?.root()?,
        ))
    })?;
    crate::snapshots::on_disk(world, &pool, root, what, work).await
}
