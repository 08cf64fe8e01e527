//! `/1.0/projects`

use cloud::{etag, names::DEFAULT_PROJECT, projects};
use tasks::Request;
use wire::{Empty, Listing, Project, ProjectState, endpoints::projects::*};

use crate::{
    access,
    error::Result,
    listing,
    routes::{Call, Routes, Tagged},
};

/// A change of one row is over before this; who asked need not ask again.
const SOON: std::time::Duration = std::time::Duration::from_millis(500);

pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .sync::<ProjectsList, _>(list)
        .sync::<ProjectCreate, _>(create)
        .tagged::<ProjectGet, _>(get)
        .sync::<ProjectReplace, _>(replace)
        .sync::<ProjectPatch, _>(patch)
        .background::<ProjectRename, _>(rename)
        .sync::<ProjectDelete, _>(delete)
        .sync::<ProjectStateGet, _>(state)
}

fn url(name: &str) -> String {
    listing::url("projects", name, DEFAULT_PROJECT)
}

async fn list(call: Call<ProjectsList>) -> Result<Listing<Project>> {
    let mut found = projects::list(&call.world)?;
    found.retain(|one| call.caller.rights.within(&one.name));
    listing::of(&call.query, found, |one| url(&one.name))
}

async fn create(call: Call<ProjectCreate>) -> Result<Empty> {
    access::administrator(&call.caller)?;
    projects::create(&call.world, &call.caller, call.body).await?;
    Ok(Empty {})
}

async fn get(call: Call<ProjectGet>) -> Result<Tagged<Project>> {
    call.caller.check(call.path("name"))?;
    let found = projects::get(&call.world, call.path("name"))?;
    let tag = etag::of(&found.writable());
    Ok(Tagged(found, tag))
}

async fn replace(call: Call<ProjectReplace>) -> Result<Empty> {
    access::administrator(&call.caller)?;
    let change = |_| Ok(call.body.clone());
    let seen = call.if_match.clone();
    projects::update(&call.world, &call.caller, call.path("name"), seen, change).await?;
    Ok(Empty {})
}

async fn patch(call: Call<ProjectPatch>) -> Result<Empty> {
    access::administrator(&call.caller)?;
    let change = |old| call.body.apply(&old).map_err(|error| cloud::Error::invalid("body", error));
    let seen = call.if_match.clone();
    projects::update(&call.world, &call.caller, call.path("name"), seen, change).await?;
    Ok(Empty {})
}

async fn rename(call: Call<ProjectRename>) -> Result<tasks::Operation> {
    access::administrator(&call.caller)?;
    let name = call.path("name").to_owned();
    let request = Request::new("Renaming project")
        .resource("projects", url(&name))
        .requestor(call.caller.requestor.clone())
        .uncancellable();
    let operations = call.world.operations.clone();
    let work =
        async move |_| projects::rename(&call.world, &call.caller, &name, &call.body.name).await;
    let operation = operations.spawn(request, work)?;
    // pylxd asks by the new name at once.
    let _ = tokio::time::timeout(SOON, operation.wait()).await;
    Ok(operation)
}

async fn delete(call: Call<ProjectDelete>) -> Result<Empty> {
    access::administrator(&call.caller)?;
    projects::delete(&call.world, &call.caller, call.path("name")).await?;
    Ok(Empty {})
}

async fn state(call: Call<ProjectStateGet>) -> Result<ProjectState> {
    call.caller.check(call.path("name"))?;
    Ok(projects::state(&call.world, call.path("name"))?)
}
