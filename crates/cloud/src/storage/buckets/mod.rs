//! Buckets: objects that S3 clients reach, each bucket in a volume of its own, and the keys to them.
//! The door that serves them is the crate `s3`.
//!
//! A bucket lives in the home of `features.storage.buckets` of its project. Its name is there once on
//! a member, whatever its pool and project: an S3 client names no more than that.

use options::{Options, ServerOptions};
use storage::{VolumeId, VolumeKind};
use store::Read;
use tasks::Request;
use wire::{StorageBucket, StorageBucketPut};

use crate::{
    Caller, Error, Result, World,
    db::{
        buckets::{self as rows, Bucket},
        instances::Made,
        members, server,
    },
    names, url,
};

pub mod backups;
mod create;
mod delete;
pub mod door;
pub mod keys;
mod stores;
mod update;

pub(crate) use self::{create::Create, delete::Delete};
pub use self::{create::create, delete::delete, stores::Stores, update::update};

/// The port of `core.storage_buckets_address` when it names none.
pub const PORT: u16 = 8555;

/// The buckets of a pool, of a project or of all.
pub fn list(world: &World, pool: &str, project: Option<&str>) -> Result<Vec<StorageBucket>> {
    world.store.read(|db| {
        super::find(db, pool)?;
        let home = project.map(|name| home(db, name)).transpose()?;
        let base = base(db)?;
        let found = rows::of_pool(db, pool)?.into_iter();
        let ready = found.filter(|row| row.made == Made::Ready);
        let wanted = ready.filter(|row| home.as_ref().is_none_or(|home| *home == row.project));
        wanted.map(|row| render(db, row, base.as_deref())).collect()
    })
}

/// One bucket.
pub fn get(world: &World, pool: &str, project: &str, name: &str) -> Result<StorageBucket> {
    world.store.read(|db| {
        let row = find(db, &world.me(), pool, project, name)?;
        render(db, row, base(db)?.as_deref())
    })
}

/// The address that a bucket's name is put behind; `None` while nothing is served.
fn base(db: &Read<'_>) -> Result<Option<String>> {
    let options = ServerOptions::parse_known(&server::get(db)?)?;
    let Some(address) = options.storage_buckets_address else { return Ok(None) };
    let reached = crate::server::reached(&address, PORT);
    Ok(reached.first().map(|place| format!("https://{place}")))
}

/// The project in which buckets of `project` live.
fn home(db: &Read<'_>, project: &str) -> Result<String> {
    Ok(crate::projects::find(db, project)?.home_of("features.storage.buckets").to_owned())
}

fn find(db: &Read<'_>, member: &str, pool: &str, project: &str, name: &str) -> Result<Bucket> {
    super::find(db, pool)?;
    let home = home(db, project)?;
    rows::get(db, member, name)?
        .filter(|row| row.made == Made::Ready && row.pool == pool && row.project == home)
        .ok_or_else(|| Error::not_found("storage bucket", name))
}

fn render(db: &Read<'_>, row: Bucket, base: Option<&str>) -> Result<StorageBucket> {
    Ok(StorageBucket {
        s3_url: base.map(|base| format!("{base}/{}", row.name)).unwrap_or_default(),
        name: row.name,
        description: row.description,
        config: row.config.0,
        location: members::location(db, &row.member)?,
        project: row.project,
    })
}

fn writable(row: &Bucket) -> StorageBucketPut {
    StorageBucketPut { config: row.config.0.clone(), description: row.description.clone() }
}

/// The address of a bucket in the API.
pub(crate) fn address(pool: &str, project: &str, name: &str) -> String {
    url::of(&format!("storage-pools/{pool}/buckets"), name, project)
}

/// What claims a bucket for a task that changes it.
pub(crate) fn lock_name(name: &str) -> String {
    format!("bucket/{name}")
}

/// An operation on a bucket, which has it for itself; S3 clients go on.
fn request(words: &str, pool: &str, project: &str, name: &str, caller: &Caller) -> Request {
    Request::new(words)
        .project(project.to_owned())
        .resource("storage_buckets", address(pool, project, name))
        .requestor(caller.requestor.clone())
        .share(format!("pool/{pool}"))
        .lock(lock_name(name))
}

/// What a bucket is called in its pool.
pub(crate) fn volume(project: &str, name: &str) -> Result<VolumeId> {
    Ok(VolumeId::new(VolumeKind::Bucket, names::volume(project, name))?)
}
