//! `/1.0/storage-pools`; the volumes in them are in [`super::volumes`].

use cloud::{Caller, etag, names::DEFAULT_PROJECT, storage};
use tasks::Operation;
use wire::{Empty, Listing, ResourcesStoragePool, StoragePool, endpoints::storage::*};

use crate::{
    access,
    error::Result,
    listing,
    routes::{Call, Routes, Tagged},
};

pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .sync::<StoragePoolsList, _>(list)
        .sync::<StoragePoolCreate, _>(create)
        .tagged::<StoragePoolGet, _>(get)
        .sync::<StoragePoolReplace, _>(replace)
        .sync::<StoragePoolPatch, _>(patch)
        .sync::<StoragePoolDelete, _>(delete)
        .sync::<StoragePoolResourcesGet, _>(resources)
        .background::<StoragePoolVerify, _>(verify)
        .sync::<StoragePoolUnlock, _>(unlock)
        .sync::<StoragePoolRekey, _>(rekey)
}

async fn list(call: Call<StoragePoolsList>) -> Result<Listing<StoragePool>> {
    let found = storage::list(&call.world)?.into_iter().map(|pool| shown(&call.caller, pool));
    listing::of(&call.query, found.collect(), |one| {
        listing::url("storage-pools", &one.name, DEFAULT_PROJECT)
    })
}

/// A pool as the caller may see it: what it is made of is for who may change it.
fn shown(caller: &Caller, mut pool: StoragePool) -> StoragePool {
    if access::administrator(caller).is_err() {
        pool.config.clear();
    }
    pool
}

async fn create(call: Call<StoragePoolCreate>) -> Result<Empty> {
    match call.query.target.as_deref().filter(|name| !name.is_empty()) {
        Some(member) => storage::promise(&call.world, member, call.body).await?,
        None => storage::create(&call.world, &call.caller, call.body).await?,
    }
    Ok(Empty {})
}

async fn get(call: Call<StoragePoolGet>) -> Result<Tagged<StoragePool>> {
    let found = shown(&call.caller, storage::get(&call.world, call.path("pool"))?);
    let tag = etag::of(&found.writable());
    Ok(Tagged(found, tag))
}

async fn replace(call: Call<StoragePoolReplace>) -> Result<Empty> {
    let change = |_| Ok(call.body.clone());
    let seen = call.if_match.clone();
    storage::update(&call.world, &call.caller, call.path("pool"), seen, change).await?;
    Ok(Empty {})
}

async fn patch(call: Call<StoragePoolPatch>) -> Result<Empty> {
    let change = |old| call.body.apply(&old).map_err(|error| cloud::Error::invalid("body", error));
    let seen = call.if_match.clone();
    storage::update(&call.world, &call.caller, call.path("pool"), seen, change).await?;
    Ok(Empty {})
}

async fn delete(call: Call<StoragePoolDelete>) -> Result<Empty> {
    storage::delete(&call.world, &call.caller, call.path("pool")).await?;
    Ok(Empty {})
}

async fn resources(call: Call<StoragePoolResourcesGet>) -> Result<ResourcesStoragePool> {
    Ok(storage::usage(&call.world, call.path("pool")).await?)
}

async fn verify(call: Call<StoragePoolVerify>) -> Result<Operation> {
    Ok(storage::verify(&call.world, &call.caller, call.path("pool")).await?)
}

async fn unlock(call: Call<StoragePoolUnlock>) -> Result<Empty> {
    storage::unlock(&call.world, call.path("pool"), &call.body.passphrase).await?;
    Ok(Empty {})
}

async fn rekey(call: Call<StoragePoolRekey>) -> Result<Empty> {
    let (now, new) = (&call.body.passphrase, &call.body.new_passphrase);
    storage::rekey(&call.world, call.path("pool"), now, new).await?;
    Ok(Empty {})
}
