//! `/1.0/instances/{name}/backups`.

use axum::response::Response;
use cloud::{
    backups::{self, Owner, Wanted},
    instances::backups::Of,
};
use tasks::Operation;
use wire::{
    Endpoint, InstanceBackup, Listing,
    endpoints::instance_backups::*,
    query::{ListQuery, ProjectQuery},
};

use crate::{
    error::Result,
    listing, raw,
    routes::{Call, RawCall, Routes},
};

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .sync::<BackupsList, _>(list)
        .background::<BackupCreate, _>(create)
        .sync::<BackupGet, _>(get)
        .background::<BackupRename, _>(rename)
        .background::<BackupDelete, _>(delete)
        .raw::<BackupExport, _>(export)
}

fn of<E: Endpoint<Query = ProjectQuery>>(call: &Call<E>) -> Of {
    Of::new(call.query.project(), call.path("name"))
}

async fn list(call: Call<BackupsList>) -> Result<Listing<InstanceBackup>> {
    let of = Of::new(ListQuery::project(&call.query), call.path("name"));
    let found = backups::list(&call.world, &of)?;
    listing::of(&call.query, found, |one| of.url(&one.name))
}

async fn create(call: Call<BackupCreate>) -> Result<Operation> {
    let post = &call.body;
    let wanted = Wanted {
        name: post.name.clone(),
        expires_at: post.expires_at,
        without_snapshots: post.instance_only || post.container_only,
        optimized: post.optimized_storage,
        compression: post.compression_algorithm.clone(),
    };
    Ok(backups::make(&call.world, &call.caller, &of(&call), &wanted).await?)
}

async fn get(call: Call<BackupGet>) -> Result<InstanceBackup> {
    Ok(backups::get(&call.world, &of(&call), call.path("backup"))?)
}

async fn rename(call: Call<BackupRename>) -> Result<Operation> {
    let (from, to) = (call.path("backup"), &call.body.name);
    Ok(backups::rename(&call.world, &call.caller, &of(&call), from, to).await?)
}

async fn delete(call: Call<BackupDelete>) -> Result<Operation> {
    Ok(backups::delete(&call.world, &call.caller, &of(&call), call.path("backup")).await?)
}

async fn export(RawCall { call, .. }: RawCall<BackupExport>) -> Result<Response> {
    let name = call.path("backup");
    let (file, _held) = backups::file(&call.world, &call.caller, &of(&call), name).await?;
    raw::file(&file, &format!("{}_{name}.backup", call.path("name"))).await
}
