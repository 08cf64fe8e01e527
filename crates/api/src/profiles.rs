//! `/1.0/profiles`

use cloud::{etag, profiles};
use wire::{Empty, Listing, Profile, endpoints::profiles::*};

use crate::{
    error::Result,
    listing,
    routes::{Call, Routes, Tagged},
};

pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .sync::<ProfilesList, _>(list)
        .sync::<ProfileCreate, _>(create)
        .tagged::<ProfileGet, _>(get)
        .sync::<ProfileReplace, _>(replace)
        .sync::<ProfilePatch, _>(patch)
        .sync::<ProfileRename, _>(rename)
        .sync::<ProfileDelete, _>(delete)
}

async fn list(call: Call<ProfilesList>) -> Result<Listing<Profile>> {
    let found = profiles::list(&call.world, listing::project(&call.query, &call.caller)?)?;
    let found = listing::visible(&call.query, &call.caller, found, |one| &one.project);
    listing::of(&call.query, found, |one| listing::url("profiles", &one.name, &one.project))
}

async fn create(call: Call<ProfileCreate>) -> Result<Empty> {
    let project = call.query.project().to_owned();
    profiles::create(&call.world, &call.caller, &project, call.body).await?;
    Ok(Empty {})
}

async fn get(call: Call<ProfileGet>) -> Result<Tagged<Profile>> {
    let found = profiles::get(&call.world, call.query.project(), call.path("name"))?;
    let tag = etag::of(&found.writable());
    Ok(Tagged(found, tag))
}

async fn replace(call: Call<ProfileReplace>) -> Result<Empty> {
    let (project, name) = (call.query.project(), call.path("name"));
    let change = |_| Ok(call.body.clone());
    let seen = call.if_match.clone();
    profiles::update(&call.world, &call.caller, project, name, seen, change).await?;
    Ok(Empty {})
}

async fn patch(call: Call<ProfilePatch>) -> Result<Empty> {
    let (project, name) = (call.query.project(), call.path("name"));
    let change = |old| call.body.apply(&old).map_err(|error| cloud::Error::invalid("body", error));
    let seen = call.if_match.clone();
    profiles::update(&call.world, &call.caller, project, name, seen, change).await?;
    Ok(Empty {})
}

async fn rename(call: Call<ProfileRename>) -> Result<Empty> {
    let (project, name) = (call.query.project(), call.path("name"));
    profiles::rename(&call.world, &call.caller, project, name, &call.body.name).await?;
    Ok(Empty {})
}

async fn delete(call: Call<ProfileDelete>) -> Result<Empty> {
    let (project, name) = (call.query.project(), call.path("name"));
    profiles::delete(&call.world, &call.caller, project, name).await?;
    Ok(Empty {})
}
