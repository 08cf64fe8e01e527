//! `/1.0/storage-pools/<pool>/buckets` and the keys to them.

use cloud::{
    etag,
    storage::buckets::{self, keys},
};
use wire::{Empty, Listing, StorageBucket, StorageBucketKey, endpoints::buckets::*};

use crate::{
    error::Result,
    listing,
    routes::{Call, Routes, Tagged},
};

pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .sync::<BucketsList, _>(list)
        .sync::<BucketCreate, _>(create)
        .tagged::<BucketGet, _>(get)
        .sync::<BucketReplace, _>(replace)
        .sync::<BucketPatch, _>(patch)
        .sync::<BucketDelete, _>(delete)
        .sync::<BucketKeysList, _>(list_keys)
        .sync::<BucketKeyCreate, _>(create_key)
        .tagged::<BucketKeyGet, _>(get_key)
        .sync::<BucketKeyReplace, _>(replace_key)
        .sync::<BucketKeyDelete, _>(delete_key)
}

/// The bucket that a request is about: pool, project, name.
macro_rules! of {
    ($call:ident) => {
        ($call.path("pool"), $call.query.project(), $call.path("bucketName"))
    };
}

async fn list(call: Call<BucketsList>) -> Result<Listing<StorageBucket>> {
    let pool = call.path("pool");
    let found = buckets::list(&call.world, pool, listing::project(&call.query))?;
    listing::of(&call.query, found, |one| {
        listing::url(&format!("storage-pools/{pool}/buckets"), &one.name, &one.project)
    })
}

async fn create(call: Call<BucketCreate>) -> Result<StorageBucketKey> {
    let (pool, project) = (call.path("pool"), call.query.project());
    let made = buckets::create(&call.world, &call.caller, pool, project, call.body.clone());
    Ok(made.await?)
}

async fn get(call: Call<BucketGet>) -> Result<Tagged<StorageBucket>> {
    let (pool, project, name) = of!(call);
    let found = buckets::get(&call.world, pool, project, name)?;
    let tag = etag::of(&found.writable());
    Ok(Tagged(found, tag))
}

async fn replace(call: Call<BucketReplace>) -> Result<Empty> {
    let change = |_| Ok(call.body.clone());
    buckets::update(&call.world, &call.caller, of!(call), call.if_match.clone(), change).await?;
    Ok(Empty {})
}

async fn patch(call: Call<BucketPatch>) -> Result<Empty> {
    let change = |old| call.body.apply(&old).map_err(|error| cloud::Error::invalid("body", error));
    buckets::update(&call.world, &call.caller, of!(call), call.if_match.clone(), change).await?;
    Ok(Empty {})
}

async fn delete(call: Call<BucketDelete>) -> Result<Empty> {
    let (pool, project, name) = of!(call);
    buckets::delete(&call.world, &call.caller, pool, project, name).await?;
    Ok(Empty {})
}

async fn list_keys(call: Call<BucketKeysList>) -> Result<Listing<StorageBucketKey>> {
    let (pool, project, bucket) = of!(call);
    let found = keys::list(&call.world, (pool, project, bucket))?;
    let path = format!("storage-pools/{pool}/buckets/{bucket}/keys");
    listing::of(&call.query, found, |one| listing::url(&path, &one.name, project))
}

async fn create_key(call: Call<BucketKeyCreate>) -> Result<StorageBucketKey> {
    Ok(keys::create(&call.world, &call.caller, of!(call), call.body.clone()).await?)
}

async fn get_key(call: Call<BucketKeyGet>) -> Result<Tagged<StorageBucketKey>> {
    let found = keys::get(&call.world, of!(call), call.path("keyName"))?;
    let tag = etag::of(&found.writable());
    Ok(Tagged(found, tag))
}

async fn replace_key(call: Call<BucketKeyReplace>) -> Result<Empty> {
    let (name, seen) = (call.path("keyName"), call.if_match.clone());
    keys::update(&call.world, &call.caller, of!(call), name, seen, call.body.clone()).await?;
    Ok(Empty {})
}

async fn delete_key(call: Call<BucketKeyDelete>) -> Result<Empty> {
    keys::delete(&call.world, &call.caller, of!(call), call.path("keyName")).await?;
    Ok(Empty {})
}
