//! `/1.0/storage-pools/{pool}/buckets/{bucketName}/backups`.

use axum::response::Response;
use cloud::{
    backups::{self, Owner, Wanted},
    storage::buckets::backups::Of,
};
use tasks::Operation;
use wire::{
    Endpoint, Listing, StorageBucketBackup, endpoints::bucket_backups::*, query::TargetQuery,
};

use crate::{
    error::Result,
    listing, raw,
    routes::{Call, RawCall, Routes},
};

pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .sync::<BucketBackupsList, _>(list)
        .background::<BucketBackupCreate, _>(create)
        .sync::<BucketBackupGet, _>(get)
        .background::<BucketBackupRename, _>(rename)
        .background::<BucketBackupDelete, _>(delete)
        .raw::<BucketBackupExport, _>(export)
}

fn of<E: Endpoint<Query = TargetQuery>>(call: &Call<E>) -> Result<Of> {
    let asked = (call.path("pool"), call.query.project(), call.path("bucketName"));
    Ok(Of::asked(&call.world, asked)?)
}

async fn list(call: Call<BucketBackupsList>) -> Result<Listing<StorageBucketBackup>> {
    let asked = (call.path("pool"), call.query.project(), call.path("bucketName"));
    let of = Of::asked(&call.world, asked)?;
    let found = backups::list(&call.world, &of)?;
    listing::of(&call.query, found, |one| of.url(&one.name))
}

async fn create(call: Call<BucketBackupCreate>) -> Result<Operation> {
    let post = &call.body;
    let wanted = Wanted {
        name: post.name.clone(),
        expires_at: post.expires_at,
        without_snapshots: false,
        optimized: false,
        compression: post.compression_algorithm.clone(),
    };
    Ok(backups::make(&call.world, &call.caller, &of(&call)?, &wanted).await?)
}

async fn get(call: Call<BucketBackupGet>) -> Result<StorageBucketBackup> {
    Ok(backups::get(&call.world, &of(&call)?, call.path("backupName"))?)
}

async fn rename(call: Call<BucketBackupRename>) -> Result<Operation> {
    let (from, to) = (call.path("backupName"), &call.body.name);
    Ok(backups::rename(&call.world, &call.caller, &of(&call)?, from, to).await?)
}

async fn delete(call: Call<BucketBackupDelete>) -> Result<Operation> {
    Ok(backups::delete(&call.world, &call.caller, &of(&call)?, call.path("backupName")).await?)
}

async fn export(RawCall { call, .. }: RawCall<BucketBackupExport>) -> Result<Response> {
    let name = call.path("backupName");
    let (file, _held) = backups::file(&call.world, &call.caller, &of(&call)?, name).await?;
    raw::file(&file, &format!("{}_{name}.backup", call.path("bucketName"))).await
}
