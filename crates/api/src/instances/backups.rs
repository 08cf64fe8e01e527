//! `/1.0/instances/{name}/backups`.

use axum::response::Response;
use cloud::instances::backups::{self, address};
use tasks::Operation;
use wire::{InstanceBackup, Listing, endpoints::instance_backups::*};

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

async fn list(call: Call<BackupsList>) -> Result<Listing<InstanceBackup>> {
    let (project, instance) = (call.query.project(), call.path("name"));
    let found = backups::list(&call.world, project, instance)?;
    listing::of(&call.query, found, |one| address(project, instance, &one.name))
}

async fn create(call: Call<BackupCreate>) -> Result<Operation> {
    let (project, instance) = (call.query.project(), call.path("name"));
    Ok(backups::make(&call.world, &call.caller, project, instance, &call.body).await?)
}

async fn get(call: Call<BackupGet>) -> Result<InstanceBackup> {
    let (project, instance) = (call.query.project(), call.path("name"));
    Ok(backups::get(&call.world, project, instance, call.path("backup"))?)
}

async fn rename(call: Call<BackupRename>) -> Result<Operation> {
    let (project, instance) = (call.query.project(), call.path("name"));
    let (from, to) = (call.path("backup"), &call.body.name);
    Ok(backups::rename(&call.world, &call.caller, project, instance, from, to).await?)
}

async fn delete(call: Call<BackupDelete>) -> Result<Operation> {
    let (project, instance) = (call.query.project(), call.path("name"));
    let name = call.path("backup");
    Ok(backups::delete(&call.world, &call.caller, project, instance, name).await?)
}

async fn export(RawCall { call, .. }: RawCall<BackupExport>) -> Result<Response> {
    let (project, instance) = (call.query.project(), call.path("name"));
    let name = call.path("backup");
    let file = backups::file(&call.world, &call.caller, project, instance, name)?;
    raw::file(&file, &format!("{instance}_{name}.backup")).await
}
