//! `/1.0/storage-pools/<pool>/buckets` and the keys to them.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use cloud::{
    etag,
    storage::buckets::{self, keys},
};
use wire::{
    Empty, Listing, StorageBucket, StorageBucketKey, StorageBucketsPost, endpoints::buckets::*,
};

use crate::{
    error::Result,
    listing,
    routes::{self, Call, RawCall, Routes, Tagged},
    upload,
};

pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .sync::<BucketsList, _>(list)
        .raw::<BucketCreate, _>(create)
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
    let found = buckets::list(&call.world, pool, listing::project(&call.query, &call.caller)?)?;
    let found = listing::visible(&call.query, &call.caller, found, |one| &one.project);
    listing::of(&call.query, found, |one| {
        listing::url(&format!("storage-pools/{pool}/buckets"), &one.name, &one.project)
    })
}

async fn create(RawCall { call, request }: RawCall<BucketCreate>) -> Result<Response> {
    if upload::is_file(&request) {
        let (world, place) = (&call.world, (call.path("pool"), call.query.project()));
        let received = upload::receive_file(&world.dirs.cache(), request).await?;
        let begun = buckets::backups::import(world, &call.caller, place, received.upload()).await?;
        received.hand_over();
        return Ok(routes::accepted(&begun));
    }
    let post: StorageBucketsPost = routes::read_json(request).await?;
    // It is done to its end even if the client goes away meanwhile.
    let made = tokio::spawn(async move {
        let (pool, project) = (call.path("pool"), call.query.project());
        buckets::create(&call.world, &call.caller, pool, project, post).await
    });
    let key = made.await.unwrap_or(Err(cloud::Error::Broken("the request")))?;
    Ok(Json(wire::Response::sync(key)).into_response())
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
