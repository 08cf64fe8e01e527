//! `/1.0/storage-pools/{pool}/volumes/{type}/{volumeName}/snapshots`.

use cloud::{
    Error, etag,
    volumes::{
        Key,
        snapshots::{self, address},
    },
};
use tasks::Operation;
use wire::{
    Empty, Endpoint, Listing, StorageVolumeSnapshot, endpoints::volume_snapshots::*,
    query::TargetQuery,
};

use crate::{
    error::Result,
    listing,
    routes::{Call, Routes, Tagged},
};

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .sync::<VolumeSnapshotsList, _>(list)
        .background::<VolumeSnapshotCreate, _>(create)
        .tagged::<VolumeSnapshotGet, _>(get)
        .sync::<VolumeSnapshotReplace, _>(replace)
        .sync::<VolumeSnapshotPatch, _>(patch)
        .background::<VolumeSnapshotRename, _>(rename)
        .background::<VolumeSnapshotDelete, _>(delete)
}

fn key<E: Endpoint<Query = TargetQuery>>(call: &Call<E>) -> Result<Key> {
    Ok(Key::asked(&call.world, super::place(call))?)
}

async fn list(call: Call<VolumeSnapshotsList>) -> Result<Listing<StorageVolumeSnapshot>> {
    let (pool, kind, name) = (call.path("pool"), call.path("type"), call.path("volumeName"));
    if kind != "custom" {
        // Those of an instance are its own.
        cloud::volumes::get(&call.world, pool, call.query.project(), kind, name).await?;
        return listing::of(&call.query, Vec::new(), |_: &StorageVolumeSnapshot| String::new());
    }
    let key = Key::asked(&call.world, (pool, call.query.project(), kind, name))?;
    let found = snapshots::list(&call.world, &key)?;
    listing::of(&call.query, found, |one| address(&key, &one.name))
}

async fn create(call: Call<VolumeSnapshotCreate>) -> Result<Operation> {
    let key = key(&call)?;
    Ok(snapshots::take(&call.world, &call.caller, &key, &call.body).await?)
}

async fn get(call: Call<VolumeSnapshotGet>) -> Result<Tagged<StorageVolumeSnapshot>> {
    let found = snapshots::get(&call.world, &key(&call)?, call.path("snapshotName"))?;
    let tag = etag::of(&found.writable());
    Ok(Tagged(found, tag))
}

async fn replace(call: Call<VolumeSnapshotReplace>) -> Result<Empty> {
    let (key, name, seen) = (key(&call)?, call.path("snapshotName"), call.if_match.clone());
    let change = |_| Ok(call.body.clone());
    snapshots::update(&call.world, &call.caller, &key, name, seen, change).await?;
    Ok(Empty {})
}

async fn patch(call: Call<VolumeSnapshotPatch>) -> Result<Empty> {
    let (key, name, seen) = (key(&call)?, call.path("snapshotName"), call.if_match.clone());
    let change = |old| call.body.apply(&old).map_err(|error| Error::invalid("body", error));
    snapshots::update(&call.world, &call.caller, &key, name, seen, change).await?;
    Ok(Empty {})
}

async fn rename(call: Call<VolumeSnapshotRename>) -> Result<Operation> {
    let (key, from) = (key(&call)?, call.path("snapshotName"));
    Ok(snapshots::rename(&call.world, &call.caller, &key, from, &call.body.name).await?)
}

async fn delete(call: Call<VolumeSnapshotDelete>) -> Result<Operation> {
    let key = key(&call)?;
    Ok(snapshots::delete(&call.world, &call.caller, &key, call.path("snapshotName")).await?)
}
