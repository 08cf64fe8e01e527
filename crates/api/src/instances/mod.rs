//! `/1.0/instances`; what they do in [`state`], what goes in and comes out in [`streams`].

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use cloud::{
    cluster, etag,
    instances::{self, list::Depth},
    url,
};
use tasks::{Operation, Request};
use wire::{Empty, InstanceFull, Listing, endpoints::instances::*, query::ListQuery};

use crate::{
    error::Result,
    forward, listing,
    routes::{self, Call, RawCall, Routes, Tagged},
    upload,
};

mod backups;
mod metadata;
mod snapshots;
mod state;
mod streams;
mod uefi;

pub(crate) fn routes(routes: Routes) -> Routes {
    let routes = routes
        .raw::<InstancesList, _>(list)
        .raw::<InstanceCreate, _>(create)
        .tagged::<InstanceGet, _>(get)
        .background::<InstanceReplace, _>(replace)
        .sync::<InstancePatch, _>(patch)
        .background::<InstanceRename, _>(rename)
        .background::<InstanceRebuild, _>(rebuild)
        .background::<InstanceDelete, _>(delete);
    let routes = metadata::routes(uefi::routes(routes));
    backups::routes(snapshots::routes(streams::routes(state::routes(routes))))
}

/// What is here alone and whole is asked most, and is JSON from the start.
async fn list(RawCall { call, .. }: RawCall<InstancesList>) -> Result<Response> {
    let here = call.only_here || !call.world.is_clustered();
    let whole = call.query.filter.as_deref().is_none_or(str::is_empty);
    if !(here && whole && call.query.recursion > 0) {
        return Ok(Json(wire::Response::sync(chosen(&call).await?)).into_response());
    }
    let project = listing::project(&call.query, &call.caller)?;
    let seen = |of: &str| !call.query.all_projects || call.caller.rights.within(of);
    let mut reply = wire::Response::sync_begin();
    instances::list::json(&call.world, project, depth(&call), &seen, &mut reply).await?;
    Ok(routes::done_with_json(reply))
}

fn depth(call: &Call<InstancesList>) -> Depth {
    if call.query.recursion >= 2 { Depth::Full } else { Depth::Plain }
}

async fn chosen(call: &Call<InstancesList>) -> Result<Listing<InstanceFull>> {
    let project = listing::project(&call.query, &call.caller)?;
    if call.query.recursion == 0 && call.query.filter.is_none() && !call.only_here {
        let found = instances::list::names(&call.world, project)?;
        let found = listing::visible(&call.query, &call.caller, found, |(project, _)| project);
        let urls = found.iter().map(|(project, name)| url::instance(project, name));
        return Ok(Listing::Urls(urls.collect()));
    }
    let mut found = instances::list::list(&call.world, project, depth(call)).await?;
    if !call.only_here && call.world.is_clustered() {
        found.extend(elsewhere(call, project).await?);
        found.sort_by(|one, other| one.instance.name.cmp(&other.instance.name));
    }
    let found = listing::visible(&call.query, &call.caller, found, |one| &one.instance.project);
    listing::of(&call.query, found, |one| url::instance(&one.instance.project, &one.instance.name))
}

/// What is on the other members; one that does not answer is asked no longer than it takes to notice.
async fn elsewhere(call: &Call<InstancesList>, project: Option<&str>) -> Result<Vec<InstanceFull>> {
    let query =
        ListQuery { filter: None, recursion: call.query.recursion.max(1), ..call.query.clone() };
    let asked = forward::ask_all::<InstancesList>(&call.world, &call.caller, &query).await;
    let mut found = Vec::new();
    for (place, answer) in asked {
        match answer {
            Some(listing) => found.extend(listing.into_full()),
            None => found.extend(instances::list::unreachable(&call.world, project, &place.name)?),
        }
    }
    Ok(found)
}

async fn create(RawCall { call, request }: RawCall<InstanceCreate>) -> Result<Response> {
    let (world, caller, project) = (&call.world, &call.caller, call.query.project());
    if !upload::is_file(&request) {
        let post: wire::InstancesPost = routes::read_json(request).await?;
        if post.source.r#type == "migration" {
            let operation = instances::migrate::receive(world, caller, project, post)?;
            return Ok(routes::accepted(&operation));
        }
        let target =
            call.query.target.as_deref().filter(|it| !it.is_empty() && !it.starts_with('@'));
        if let Some(target) = target.filter(|it| world.is_clustered() && *it != world.me())
            && post.source.r#type == "copy"
        {
            let copied = instances::migrate::copy_to_member(world, caller, project, post, target)?;
            return Ok(routes::accepted(&copied));
        }
        let (world, caller, project) = (world.clone(), caller.clone(), project.to_owned());
        let launched =
            async move { Ok(instances::launch::launch(&world, &caller, &project, post).await?) };
        return Ok(routes::accepted(&routes::to_its_end(launched).await?));
    }
    let received = upload::receive_file(&world.dirs.cache(), request).await?;
    let operation = instances::backups::import(world, caller, project, received.upload()).await?;
    received.hand_over();
    Ok(routes::accepted(&operation))
}

async fn get(call: Call<InstanceGet>) -> Result<Tagged<InstanceFull>> {
    let (project, name) = (call.query.project(), call.path("name"));
    let depth = if call.query.recursion > 0 { Depth::Full } else { Depth::Plain };
    let found = instances::list::get(&call.world, project, name, depth).await?;
    let tag = etag::of(&found.instance.writable());
    Ok(Tagged(found, tag))
}

/// The client's view of it is checked at once, the change itself goes on behind.
async fn replace(call: Call<InstanceReplace>) -> Result<Operation> {
    let (project, name) = (call.query.project().to_owned(), call.path("name").to_owned());
    let found = instances::list::get(&call.world, &project, &name, Depth::Plain).await?;
    etag::check(&call.if_match, &found.instance.writable(), "instance", &name)?;
    if !call.body.restore.is_empty() {
        return restore(&call, &project, &name);
    }
    let request = Request::new("Updating instance")
        .project(project.clone())
        .resource("instances", url::instance(&project, &name))
        .requestor(call.caller.requestor.clone())
        .uncancellable();
    let operations = call.world.operations.clone();
    let work = async move |_| {
        let Call { world, caller, if_match, body, .. } = call;
        let change = |_| Ok(body.clone());
        instances::update::update(&world, &caller, &project, &name, if_match, change).await
    };
    Ok(operations.spawn(request, work)?)
}

fn restore(call: &Call<InstanceReplace>, project: &str, name: &str) -> Result<Operation> {
    let (snapshot, stateful) = (&call.body.restore, call.body.stateful);
    let (world, caller) = (&call.world, &call.caller);
    Ok(instances::snapshots::restore(world, caller, project, name, snapshot, stateful)?)
}

async fn patch(call: Call<InstancePatch>) -> Result<Empty> {
    let (project, name) = (call.query.project(), call.path("name"));
    let change = |old| call.body.apply(&old).map_err(|error| cloud::Error::invalid("body", error));
    let seen = call.if_match.clone();
    instances::update::update(&call.world, &call.caller, project, name, seen, change).await?;
    Ok(Empty {})
}

async fn rename(call: Call<InstanceRename>) -> Result<Operation> {
    let (project, name) = (call.query.project(), call.path("name"));
    let to = &call.body;
    let target = call.query.target.as_deref().filter(|name| !name.is_empty());
    if let Some(target) = target.filter(|name| *name != call.world.me()) {
        cluster::allowed_target(&call.world, &call.caller, project, Some(target))?;
        let of = (project, name);
        return Ok(instances::migrate::to_member(&call.world, &call.caller, of, to, target)?);
    }
    if !to.pool.is_empty() || !(to.project.is_empty() || to.project == project) {
        let moved = instances::relocate::relocate(&call.world, &call.caller, project, name, to);
        return Ok(moved.await?);
    }
    if to.migration && target.is_some() && (to.name.is_empty() || to.name == name) {
        let why = format!("\"{name}\" is on {} already", call.world.me());
        return Err(cloud::Error::invalid("target", why).into());
    }
    if to.migration && target.is_none() {
        return Ok(instances::migrate::send(&call.world, &call.caller, project, name, to)?);
    }
    Ok(instances::rename::rename(&call.world, &call.caller, project, name, &to.name).await?)
}

async fn rebuild(call: Call<InstanceRebuild>) -> Result<Operation> {
    let (project, name) = (call.query.project(), call.path("name"));
    Ok(instances::rebuild::rebuild(&call.world, &call.caller, project, name, &call.body).await?)
}

async fn delete(call: Call<InstanceDelete>) -> Result<Operation> {
    let (project, name) = (call.query.project(), call.path("name"));
    Ok(instances::delete::delete(&call.world, &call.caller, project, name).await?)
}
