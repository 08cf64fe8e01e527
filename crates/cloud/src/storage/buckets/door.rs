//! What the door for S3 clients asks: who a key belongs to, and where a bucket's objects are.

use std::path::PathBuf;

use options::{BucketOptions, Options};
use storage::Attached;

use crate::{
    Error, Result, World,
    blocking::blocking,
    db::{
        buckets::{self as rows, Bucket, Role},
        instances::Made,
    },
};

/// What the owner of a key may do.
#[derive(Clone, Debug)]
pub struct Grant {
    /// In this bucket.
    pub bucket: Bucket,
    /// This.
    pub role: Role,
    /// Bytes of all objects at most.
    pub limit: Option<u64>,
}

/// What requests are signed with by the owner of an access key, if somebody owns it.
pub fn secret(world: &World, access: &str) -> Result<Option<String>> {
    let found = world.store.read(|db| Ok::<_, Error>(rows::key_of_access(db, access)?))?;
    Ok(found.map(|key| key.secret))
}

/// What the owner of an access key may do.
pub fn grant(world: &World, access: &str) -> Result<Option<Grant>> {
    let found = world.store.read(|db| {
        let Some(key) = rows::key_of_access(db, access)? else { return Ok(None) };
        let bucket = rows::by_id(db, key.bucket_id)?;
        Ok::<_, Error>(bucket.map(|bucket| (bucket, key.role)))
    })?;
    let here = |bucket: &Bucket| bucket.made == Made::Ready && bucket.member == world.me();
    let Some((bucket, role)) = found.filter(|(bucket, _)| here(bucket)) else { return Ok(None) };
    let limit = limit(&bucket)?;
    Ok(Some(Grant { bucket, role, limit }))
}

/// Bytes of all objects of a bucket at most.
pub fn limit(bucket: &Bucket) -> Result<Option<u64>> {
    Ok(BucketOptions::parse(&bucket.config)?.size.map(|size| size.0))
}

/// Every bucket that is here.
pub fn all(world: &World) -> Result<Vec<Bucket>> {
    let mut found = world.store.read(|db| Ok::<_, Error>(rows::all(db)?))?;
    found.retain(|bucket| bucket.made == Made::Ready && bucket.member == world.me());
    Ok(found)
}

/// The bucket of that name, if it is here.
pub fn find(world: &World, name: &str) -> Result<Option<Bucket>> {
    let found = world.store.read(|db| Ok::<_, Error>(rows::get(db, &world.me(), name)?))?;
    Ok(found.filter(|bucket| bucket.made == Made::Ready))
}

/// Whether a bucket of that name is here.
pub fn exists(world: &World, name: &str) -> Result<bool> {
    Ok(find(world, name)?.is_some())
}

/// Whether a bucket is there still, by its row.
pub fn is_there(world: &World, id: i64) -> Result<bool> {
    let found = world.store.read(|db| Ok::<_, Error>(rows::by_id(db, id)?))?;
    Ok(found.is_some_and(|bucket| bucket.made == Made::Ready))
}

/// The folder that a bucket's objects are in.
pub async fn folder(world: &World, bucket: &Bucket) -> Result<PathBuf> {
    let pool = world.pools.open(world, &bucket.pool).await?;
    let volume = super::volume(&bucket.project, &bucket.name)?;
    let attached = blocking("attach the bucket's volume", move || pool.attach(&volume)).await?;
    match attached {
        Attached::Path(path) => Ok(path),
        Attached::Overlay { .. } | Attached::Block(_) => {
            Err(Error::Unsupported("a bucket that is no folder"))
        }
    }
}
