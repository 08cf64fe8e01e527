//! `/1.0/images/aliases`

use cloud::{
    World, etag,
    images::{self, alias},
};
use wire::{Empty, ImageAliasesEntry, ImageAliasesEntryPut, Listing, endpoints::images::*};

use crate::{
    error::Result,
    listing,
    routes::{Call, Routes, Tagged},
};

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .sync::<ImageAliasesList, _>(list)
        .sync::<ImageAliasCreate, _>(create)
        .tagged::<ImageAliasGet, _>(get)
        .sync::<ImageAliasReplace, _>(replace)
        .sync::<ImageAliasPatch, _>(patch)
        .sync::<ImageAliasRename, _>(rename)
        .sync::<ImageAliasDelete, _>(delete)
}

async fn list(call: Call<ImageAliasesList>) -> Result<Listing<ImageAliasesEntry>> {
    let project = (!call.query.all_projects).then(|| call.query.project());
    let mut found = alias::list(&call.world, project)?;
    found.retain(|(home, one)| {
        let project = project.unwrap_or(home);
        call.caller.rights.within(project) || is_public(&call.world, project, one)
    });
    let with_url = found
        .into_iter()
        .map(|(project, alias)| (listing::url("images/aliases", &alias.name, &project), alias));
    listing::located(&call.query, with_url.collect())
}

/// Whether anybody may see the image that is meant.
fn is_public(world: &World, project: &str, alias: &ImageAliasesEntry) -> bool {
    images::get(world, project, &alias.target).is_ok_and(|image| image.public)
}

async fn create(call: Call<ImageAliasCreate>) -> Result<Empty> {
    let project = call.query.project().to_owned();
    alias::create(&call.world, &call.caller, &project, call.body).await?;
    Ok(Empty {})
}

async fn get(call: Call<ImageAliasGet>) -> Result<Tagged<ImageAliasesEntry>> {
    let (project, name) = (call.query.project(), call.path("name"));
    let found = alias::get(&call.world, project, name);
    let found = match call.caller.rights.within(project) {
        true => found?,
        false => found
            .ok()
            .filter(|one| is_public(&call.world, project, one))
            .ok_or_else(|| cloud::Error::not_found("image alias", name))?,
    };
    let (description, target) = (found.description.clone(), found.target.clone());
    let tag = etag::of(&ImageAliasesEntryPut { description, target });
    Ok(Tagged(found, tag))
}

async fn replace(call: Call<ImageAliasReplace>) -> Result<Empty> {
    let (project, name) = (call.query.project(), call.path("name"));
    let change = |_| Ok(call.body.clone());
    let seen = call.if_match.clone();
    alias::update(&call.world, &call.caller, project, name, seen, change).await?;
    Ok(Empty {})
}

async fn patch(call: Call<ImageAliasPatch>) -> Result<Empty> {
    let (project, name) = (call.query.project(), call.path("name"));
    let change = |old| call.body.apply(&old).map_err(|error| cloud::Error::invalid("body", error));
    let seen = call.if_match.clone();
    alias::update(&call.world, &call.caller, project, name, seen, change).await?;
    Ok(Empty {})
}

async fn rename(call: Call<ImageAliasRename>) -> Result<Empty> {
    let (project, name) = (call.query.project(), call.path("name"));
    alias::rename(&call.world, &call.caller, project, name, &call.body.name).await?;
    Ok(Empty {})
}

async fn delete(call: Call<ImageAliasDelete>) -> Result<Empty> {
    let (project, name) = (call.query.project(), call.path("name"));
    alias::delete(&call.world, &call.caller, project, name).await?;
    Ok(Empty {})
}
