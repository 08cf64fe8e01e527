//! `/1.0/storage-pools` and the volumes in them.

use cloud::{
    etag,
    names::DEFAULT_PROJECT,
    storage::{self, volume},
};
use wire::{
    Empty, Listing, ResourcesStoragePool, StoragePool, StorageVolume, StorageVolumePut,
    endpoints::storage::*, query::ListQuery,
};

use crate::{
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
        .sync::<StorageVolumesList, _>(volumes)
        .sync::<StorageVolumesOfKindList, _>(volumes_of_kind)
        .tagged::<StorageVolumeGet, _>(volume)
}

async fn list(call: Call<StoragePoolsList>) -> Result<Listing<StoragePool>> {
    listing::of(&call.query, storage::list(&call.world)?, |one| {
        listing::url("storage-pools", &one.name, DEFAULT_PROJECT)
    })
}

async fn create(call: Call<StoragePoolCreate>) -> Result<Empty> {
    storage::create(&call.world, &call.caller, call.body).await?;
    Ok(Empty {})
}

async fn get(call: Call<StoragePoolGet>) -> Result<Tagged<StoragePool>> {
    let found = storage::get(&call.world, call.path("pool"))?;
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

async fn volumes(call: Call<StorageVolumesList>) -> Result<Listing<StorageVolume>> {
    let pool = call.path("pool");
    let found = volume::list(&call.world, pool, listing::project(&call.query)).await?;
    listed(&call.query, pool, found)
}

async fn volumes_of_kind(call: Call<StorageVolumesOfKindList>) -> Result<Listing<StorageVolume>> {
    let (pool, kind) = (call.path("pool"), call.path("type"));
    volume::check_kind(kind)?;
    let mut found = volume::list(&call.world, pool, listing::project(&call.query)).await?;
    found.retain(|volume| volume.r#type == kind);
    listed(&call.query, pool, found)
}

fn listed(
    query: &ListQuery,
    pool: &str,
    found: Vec<StorageVolume>,
) -> Result<Listing<StorageVolume>> {
    listing::of(query, found, |one| {
        let path = format!("storage-pools/{pool}/volumes/{}", one.r#type);
        listing::url(&path, &one.name, &one.project)
    })
}

async fn volume(call: Call<StorageVolumeGet>) -> Result<Tagged<StorageVolume>> {
    let (pool, kind, name) = (call.path("pool"), call.path("type"), call.path("volumeName"));
    let found = volume::get(&call.world, pool, call.query.project(), kind, name).await?;
    let (config, description) = (found.config.clone(), found.description.clone());
    let tag = etag::of(&StorageVolumePut { config, description, restore: String::new() });
    Ok(Tagged(found, tag))
}
