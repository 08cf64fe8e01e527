//! `/1.0/warnings`

use cloud::{etag, warnings};
use wire::{Empty, Listing, Warning, WarningPut, endpoints::warnings::*};

use crate::{
    error::Result,
    listing,
    routes::{Call, Routes, Tagged},
};

pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .sync::<WarningsList, _>(list)
        .tagged::<WarningGet, _>(get)
        .sync::<WarningReplace, _>(replace)
        .sync::<WarningPatch, _>(patch)
        .sync::<WarningDelete, _>(delete)
}

async fn list(call: Call<WarningsList>) -> Result<Listing<Warning>> {
    // Without a project all of them: most are about none.
    let project = call.query.project.as_deref().filter(|name| !name.is_empty());
    let found = warnings::list(&call.world, project.filter(|_| !call.query.all_projects))?;
    listing::of(&call.query, found, |one| warnings::address(&one.uuid))
}

async fn get(call: Call<WarningGet>) -> Result<Tagged<Warning>> {
    let found = warnings::get(&call.world, call.path("uuid"))?;
    let tag = etag::of(&WarningPut { status: found.status.clone() });
    Ok(Tagged(found, tag))
}

async fn replace(call: Call<WarningReplace>) -> Result<Empty> {
    let change = |_| Ok(call.body.clone());
    let (uuid, seen) = (call.path("uuid"), call.if_match.clone());
    warnings::update(&call.world, &call.caller, uuid, seen, change).await?;
    Ok(Empty {})
}

async fn patch(call: Call<WarningPatch>) -> Result<Empty> {
    let change = |old| call.body.apply(&old).map_err(|error| cloud::Error::invalid("body", error));
    let (uuid, seen) = (call.path("uuid"), call.if_match.clone());
    warnings::update(&call.world, &call.caller, uuid, seen, change).await?;
    Ok(Empty {})
}

async fn delete(call: Call<WarningDelete>) -> Result<Empty> {
    warnings::delete(&call.world, &call.caller, call.path("uuid")).await?;
    Ok(Empty {})
}
