//! `/1.0/networks`

use cloud::{etag, networks};
use wire::{Empty, Listing, Network, NetworkLease, NetworkState, endpoints::networks::*};

use crate::{
    access,
    error::Result,
    listing,
    routes::{Call, Routes, Tagged},
};

pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .sync::<NetworksList, _>(list)
        .sync::<NetworkCreate, _>(create)
        .tagged::<NetworkGet, _>(get)
        .sync::<NetworkReplace, _>(replace)
        .sync::<NetworkPatch, _>(patch)
        .sync::<NetworkRename, _>(rename)
        .sync::<NetworkDelete, _>(delete)
        .sync::<NetworkStateGet, _>(state)
        .sync::<NetworkLeasesList, _>(leases)
}

async fn list(call: Call<NetworksList>) -> Result<Listing<Network>> {
    let found = networks::list(&call.world, listing::project(&call.query, &call.caller)?).await?;
    let found = listing::visible(&call.query, &call.caller, found, |one| &one.project);
    listing::of(&call.query, found, |one| {
        // A link of the machine belongs to no project.
        let project = if one.project.is_empty() { wire::DEFAULT_PROJECT } else { &one.project };
        listing::url("networks", &one.name, project)
    })
}

async fn create(call: Call<NetworkCreate>) -> Result<Empty> {
    let project = call.query.project().to_owned();
    match call.query.target.as_deref().filter(|name| !name.is_empty()) {
        Some(member) => {
            access::administrator(&call.caller)?;
            networks::promise(&call.world, member, call.body).await?;
        }
        None => networks::create(&call.world, &call.caller, &project, call.body).await?,
    }
    Ok(Empty {})
}

async fn get(call: Call<NetworkGet>) -> Result<Tagged<Network>> {
    let found = networks::get(&call.world, call.query.project(), call.path("name")).await?;
    let tag = etag::of(&found.writable());
    Ok(Tagged(found, tag))
}

async fn replace(call: Call<NetworkReplace>) -> Result<Empty> {
    let (project, name) = (call.query.project(), call.path("name"));
    let change = |_| Ok(call.body.clone());
    let seen = call.if_match.clone();
    networks::update(&call.world, &call.caller, project, name, seen, change).await?;
    Ok(Empty {})
}

async fn patch(call: Call<NetworkPatch>) -> Result<Empty> {
    let (project, name) = (call.query.project(), call.path("name"));
    let change = |old| call.body.apply(&old).map_err(|error| cloud::Error::invalid("body", error));
    let seen = call.if_match.clone();
    networks::update(&call.world, &call.caller, project, name, seen, change).await?;
    Ok(Empty {})
}

async fn rename(call: Call<NetworkRename>) -> Result<Empty> {
    let (project, name, to) = (call.query.project(), call.path("name"), &call.body.name);
    networks::rename(&call.world, &call.caller, project, name, to).await?;
    Ok(Empty {})
}

async fn delete(call: Call<NetworkDelete>) -> Result<Empty> {
    let (project, name) = (call.query.project(), call.path("name"));
    networks::delete(&call.world, &call.caller, project, name).await?;
    Ok(Empty {})
}

async fn state(call: Call<NetworkStateGet>) -> Result<NetworkState> {
    Ok(networks::state(&call.world, call.query.project(), call.path("name")).await?)
}

async fn leases(call: Call<NetworkLeasesList>) -> Result<Vec<NetworkLease>> {
    Ok(networks::leases(&call.world, call.query.project(), call.path("name")).await?)
}
