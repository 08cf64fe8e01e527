//! `/1.0/instances/{name}/snapshots`.

use cloud::{
    etag,
    instances::snapshots::{self, address},
};
use tasks::{Operation, Request};
use wire::{
    InstanceSnapshot, InstanceSnapshotPut, Listing, endpoints::Endpoint,
    endpoints::instance_snapshots::*, query::ProjectQuery,
};

use crate::{
    error::{Error, Result},
    listing,
    routes::{Call, Routes, Tagged},
};

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .sync::<SnapshotsList, _>(list)
        .background::<SnapshotCreate, _>(create)
        .tagged::<SnapshotGet, _>(get)
        .background::<SnapshotReplace, _>(replace)
        .background::<SnapshotPatch, _>(patch)
        .background::<SnapshotRename, _>(rename)
        .background::<SnapshotDelete, _>(delete)
}

async fn list(call: Call<SnapshotsList>) -> Result<Listing<InstanceSnapshot>> {
    let (project, instance) = (call.query.project(), call.path("name"));
    let found = snapshots::list(&call.world, project, instance)?;
    listing::of(&call.query, found, |one| address(project, instance, &one.name))
}

async fn create(call: Call<SnapshotCreate>) -> Result<Operation> {
    let (project, instance) = (call.query.project(), call.path("name"));
    Ok(snapshots::take(&call.world, &call.caller, project, instance, &call.body).await?)
}

async fn get(call: Call<SnapshotGet>) -> Result<Tagged<InstanceSnapshot>> {
    let (project, instance) = (call.query.project(), call.path("name"));
    let found = snapshots::get(&call.world, project, instance, call.path("snapshot"))?;
    let tag = etag::of(&found.writable());
    Ok(Tagged(found, tag))
}

async fn replace(call: Call<SnapshotReplace>) -> Result<Operation> {
    let wanted = call.body.clone();
    change(call, move |_| Ok(wanted.clone())).await
}

async fn patch(call: Call<SnapshotPatch>) -> Result<Operation> {
    let patch = call.body.clone();
    let apply = move |old| patch.apply(&old).map_err(|e| cloud::Error::invalid("body", e));
    change(call, apply).await
}

/// It is done at once; clients expect an operation all the same.
async fn change<E: Endpoint<Query = ProjectQuery>>(
    call: Call<E>,
    change: impl Fn(InstanceSnapshotPut) -> cloud::Result<InstanceSnapshotPut> + Send + Sync + 'static,
) -> Result<Operation> {
    let (project, instance) = (call.query.project(), call.path("name"));
    let (name, seen) = (call.path("snapshot"), call.if_match.clone());
    snapshots::update(&call.world, &call.caller, project, instance, name, seen, change).await?;
    let request = Request::new("Updating snapshot")
        .project(project)
        .resource("instances_snapshots", address(project, instance, name))
        .requestor(call.caller.requestor.clone())
        .uncancellable();
    Ok(call.world.operations.spawn(request, async |_| Ok::<_, cloud::Error>(()))?)
}

async fn rename(call: Call<SnapshotRename>) -> Result<Operation> {
    if call.body.migration || call.body.live {
        return Err(Error::Cloud(cloud::Error::Unsupported("a migration of a snapshot")));
    }
    let (project, instance) = (call.query.project(), call.path("name"));
    let (from, to) = (call.path("snapshot"), &call.body.name);
    Ok(snapshots::rename(&call.world, &call.caller, project, instance, from, to).await?)
}

async fn delete(call: Call<SnapshotDelete>) -> Result<Operation> {
    let (project, instance) = (call.query.project(), call.path("name"));
    let name = call.path("snapshot");
    Ok(snapshots::delete(&call.world, &call.caller, project, instance, name).await?)
}
