//! `/1.0/storage-pools/{pool}/volumes/{type}/{volumeName}/backups`.

use axum::response::Response;
use cloud::{
    backups::{self, Owner, Wanted},
    volumes::{Key, backups::Of},
};
use tasks::Operation;
use wire::{
    Endpoint, Listing, StorageVolumeBackup, endpoints::volume_backups::*, query::TargetQuery,
};

use crate::{
    error::Result,
    listing, raw,
    routes::{Call, RawCall, Routes},
};

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .sync::<VolumeBackupsList, _>(list)
        .background::<VolumeBackupCreate, _>(create)
        .sync::<VolumeBackupGet, _>(get)
        .background::<VolumeBackupRename, _>(rename)
        .background::<VolumeBackupDelete, _>(delete)
        .raw::<VolumeBackupExport, _>(export)
}

fn of<E: Endpoint<Query = TargetQuery>>(call: &Call<E>) -> Result<Of> {
    Ok(Of { volume: Key::asked(&call.world, super::place(call))? })
}

async fn list(call: Call<VolumeBackupsList>) -> Result<Listing<StorageVolumeBackup>> {
    let (pool, kind, name) = (call.path("pool"), call.path("type"), call.path("volumeName"));
    let volume = Key::asked(&call.world, (pool, call.query.project(), kind, name))?;
    let of = Of { volume };
    let found = backups::list(&call.world, &of)?;
    listing::of(&call.query, found, |one| of.url(&one.name))
}

async fn create(call: Call<VolumeBackupCreate>) -> Result<Operation> {
    let post = &call.body;
    let wanted = Wanted {
        name: post.name.clone(),
        expires_at: post.expires_at,
        without_snapshots: post.volume_only,
        optimized: post.optimized_storage,
        compression: post.compression_algorithm.clone(),
    };
    Ok(backups::make(&call.world, &call.caller, &of(&call)?, &wanted).await?)
}

async fn get(call: Call<VolumeBackupGet>) -> Result<StorageVolumeBackup> {
    Ok(backups::get(&call.world, &of(&call)?, call.path("backupName"))?)
}

async fn rename(call: Call<VolumeBackupRename>) -> Result<Operation> {
    let (from, to) = (call.path("backupName"), &call.body.name);
    Ok(backups::rename(&call.world, &call.caller, &of(&call)?, from, to).await?)
}

async fn delete(call: Call<VolumeBackupDelete>) -> Result<Operation> {
    Ok(backups::delete(&call.world, &call.caller, &of(&call)?, call.path("backupName")).await?)
}

async fn export(RawCall { call, .. }: RawCall<VolumeBackupExport>) -> Result<Response> {
    let name = call.path("backupName");
    let (file, _held) = backups::file(&call.world, &call.caller, &of(&call)?, name).await?;
    raw::file(&file, &format!("{}_{name}.backup", call.path("volumeName"))).await
}
