//! `/1.0/storage-volumes`, and the volumes of each pool; their snapshots are in [`snapshots`].

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use cloud::{Error, etag, volumes};
use wire::{
    Empty, Listing, StorageVolume, StorageVolumePost, StorageVolumeState, StorageVolumesPost,
    endpoints::volumes::*,
    query::{ListQuery, TargetQuery},
};

use crate::{
    error::Result,
    listing,
    routes::{self, Call, RawCall, Routes, Tagged},
    upload,
};

mod backups;
mod snapshots;

pub(crate) fn routes(routes: Routes) -> Routes {
    backups::routes(snapshots::routes(routes))
        .sync::<AllVolumesList, _>(all)
        .sync::<AllVolumesOfKindList, _>(all_of_kind)
        .sync::<StorageVolumesList, _>(list)
        .raw::<StorageVolumeMake, _>(make)
        .sync::<StorageVolumesOfKindList, _>(list_of_kind)
        .raw::<StorageVolumeCreate, _>(create)
        .tagged::<StorageVolumeGet, _>(get)
        .sync::<StorageVolumeReplace, _>(replace)
        .sync::<StorageVolumePatch, _>(patch)
        .raw::<StorageVolumeRename, _>(rename)
        .sync::<StorageVolumeDelete, _>(delete)
        .sync::<StorageVolumeStateGet, _>(state)
}

async fn all(call: Call<AllVolumesList>) -> Result<Listing<StorageVolume>> {
    let project = listing::project(&call.query, &call.caller)?;
    listed(&call, volumes::all(&call.world, project).await?)
}

async fn all_of_kind(call: Call<AllVolumesOfKindList>) -> Result<Listing<StorageVolume>> {
    let kind = call.path("type");
    volumes::check_kind(kind)?;
    let project = listing::project(&call.query, &call.caller)?;
    listed(&call, of_kind(volumes::all(&call.world, project).await?, kind))
}

async fn list(call: Call<StorageVolumesList>) -> Result<Listing<StorageVolume>> {
    let project = listing::project(&call.query, &call.caller)?;
    listed(&call, volumes::list(&call.world, call.path("pool"), project).await?)
}

async fn list_of_kind(call: Call<StorageVolumesOfKindList>) -> Result<Listing<StorageVolume>> {
    let project = listing::project(&call.query, &call.caller)?;
    let kind = call.path("type");
    volumes::check_kind(kind)?;
    let found = volumes::list(&call.world, call.path("pool"), project).await?;
    listed(&call, of_kind(found, kind))
}

fn of_kind(mut found: Vec<StorageVolume>, kind: &str) -> Vec<StorageVolume> {
    found.retain(|volume| volume.r#type == kind);
    found
}

fn listed<E: wire::Endpoint<Query = ListQuery>>(
    call: &Call<E>,
    found: Vec<StorageVolume>,
) -> Result<Listing<StorageVolume>> {
    let found = listing::visible(&call.query, &call.caller, found, |one| &one.project);
    listing::of(&call.query, found, |one| {
        let path = format!("storage-pools/{}/volumes/{}", one.pool, one.r#type);
        match one.name.split_once('/') {
            Some((volume, snapshot)) => {
                listing::url(&format!("{path}/{volume}/snapshots"), snapshot, &one.project)
            }
            None => listing::url(&path, &one.name, &one.project),
        }
    })
}

async fn make(RawCall { call, request }: RawCall<StorageVolumeMake>) -> Result<Response> {
    let post: StorageVolumesPost = routes::read_json(request).await?;
    let kind = if post.r#type.is_empty() { String::from("custom") } else { post.r#type.clone() };
    made(call, kind, post).await
}

async fn create(RawCall { call, request }: RawCall<StorageVolumeCreate>) -> Result<Response> {
    let kind = call.path("type").to_owned();
    if upload::is_file(&request) {
        return import(&call, &kind, request).await;
    }
    made(call, kind, routes::read_json(request).await?).await
}

async fn import(
    call: &Call<StorageVolumeCreate>,
    kind: &str,
    request: http::Request<axum::body::Body>,
) -> Result<Response> {
    let (world, place) = (&call.world, (call.path("pool"), call.query.project(), kind));
    let form = volumes::backups::Form::read(upload::said_type(&request)?)?;
    let received = upload::receive_file(&world.dirs.cache(), request).await?;
    let upload = received.upload();
    let begun = volumes::backups::import(world, &call.caller, place, form, upload).await?;
    received.hand_over();
    Ok(routes::accepted(&begun))
}

async fn made<E: wire::Endpoint<Query = TargetQuery>>(
    call: Call<E>,
    kind: String,
    post: StorageVolumesPost,
) -> Result<Response> {
    if !post.source.is_nothing() {
        let place = (call.path("pool"), call.query.project(), kind.as_str());
        let copied = volumes::copy(&call.world, &call.caller, place, post).await?;
        return Ok(routes::accepted(&copied));
    }
    let (pool, project) = (call.path("pool").to_owned(), call.query.project().to_owned());
    whole(async move {
        volumes::create(&call.world, &call.caller, &pool, &project, &kind, post).await
    })
    .await
}

/// Does a change to its end even if the client goes away meanwhile.
async fn whole(work: impl Future<Output = cloud::Result<()>> + Send + 'static) -> Result<Response> {
    tokio::spawn(work).await.unwrap_or(Err(Error::Broken("the request")))?;
    Ok(Json(wire::Response::sync(Empty {})).into_response())
}

async fn get(call: Call<StorageVolumeGet>) -> Result<Tagged<StorageVolume>> {
    let (pool, kind, name) = (call.path("pool"), call.path("type"), call.path("volumeName"));
    let found = volumes::get(&call.world, pool, call.query.project(), kind, name).await?;
    let tag = etag::of(&found.writable());
    Ok(Tagged(found, tag))
}

/// Pool, project, kind and name of the volume that is meant.
fn place<E: wire::Endpoint<Query = TargetQuery>>(call: &Call<E>) -> (&str, &str, &str, &str) {
    (call.path("pool"), call.query.project(), call.path("type"), call.path("volumeName"))
}

async fn replace(call: Call<StorageVolumeReplace>) -> Result<Empty> {
    let snapshot = &call.body.restore;
    if !snapshot.is_empty() {
        let key = volumes::Key::asked(&call.world, place(&call))?;
        volumes::snapshots::restore(&call.world, &call.caller, &key, snapshot).await?;
        return Ok(Empty {});
    }
    let change = |_| Ok(call.body.clone());
    let seen = call.if_match.clone();
    volumes::update(&call.world, &call.caller, place(&call), seen, change).await?;
    Ok(Empty {})
}

async fn patch(call: Call<StorageVolumePatch>) -> Result<Empty> {
    let change = |old| call.body.apply(&old).map_err(|error| Error::invalid("body", error));
    let seen = call.if_match.clone();
    volumes::update(&call.world, &call.caller, place(&call), seen, change).await?;
    Ok(Empty {})
}

async fn rename(RawCall { call, request }: RawCall<StorageVolumeRename>) -> Result<Response> {
    let post: StorageVolumePost = routes::read_json(request).await?;
    let (pool, project, ..) = place(&call);
    let is_here = |given: &str, here: &str| given.is_empty() || given == here;
    if !is_here(&post.pool, pool) || !is_here(&post.project, project) {
        let place = place(&call);
        let moved = volumes::relocate(&call.world, &call.caller, place, &post).await?;
        return Ok(routes::accepted(&moved));
    }
    whole(async move {
        let (pool, project, kind, name) = place(&call);
        let to = &post.name;
        volumes::rename(&call.world, &call.caller, (pool, project, kind, name), to).await
    })
    .await
}

async fn delete(call: Call<StorageVolumeDelete>) -> Result<Empty> {
    let (pool, project, kind, name) = place(&call);
    volumes::delete(&call.world, &call.caller, pool, project, kind, name).await?;
    Ok(Empty {})
}

async fn state(call: Call<StorageVolumeStateGet>) -> Result<StorageVolumeState> {
    let (pool, project, kind, name) = place(&call);
    Ok(volumes::state(&call.world, pool, project, kind, name).await?)
}
