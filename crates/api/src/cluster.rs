//! `/1.0/cluster`, and beneath `/internal/cluster` what members say to each other.

use axum::{body::Body, response::Response};
use cloud::cluster::{self, PROTOCOL, Place};
use http::{StatusCode, header};
use hyper_util::rt::TokioIo;
use tasks::{Operation, Request};
use wire::{
    Cluster, ClusterMember, ClusterMemberConfigKey, Empty, Endpoint, Joined, Listing,
    endpoints::cluster::*,
};

use crate::{
    error::{Error, Result},
    listing,
    routes::{Call, RawCall, Routes, Tagged},
};

pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .sync::<ClusterGet, _>(get)
        .background::<ClusterReplace, _>(replace)
        .sync::<ClusterMembersList, _>(list)
        .background::<ClusterMemberCreate, _>(token)
        .tagged::<ClusterMemberGet, _>(member)
        .sync::<ClusterMemberReplace, _>(replace_member)
        .sync::<ClusterMemberPatch, _>(patch_member)
        .sync::<ClusterMemberRename, _>(rename)
        .sync::<ClusterMemberDelete, _>(remove)
        .sync::<ClusterJoin, _>(join)
        .sync::<ClusterBegin, _>(begin)
        .sync::<ClusterLeave, _>(leave)
        .background::<ClusterMemberStateSet, _>(set_state)
        .background::<ClusterInstanceReturn, _>(give_back)
        .background::<ClusterInstanceReceive, _>(receive)
        .raw::<ClusterStore, _>(store)
}

async fn get(call: Call<ClusterGet>) -> Result<Cluster> {
    let enabled = call.world.is_clustered();
    let member_config = match enabled {
        true => cloud::storage::local_keys(&call.world)?,
        false => Vec::new(),
    };
    let key = |(pool, key, description): (String, String, String)| ClusterMemberConfigKey {
        entity: String::from("storage-pool"),
        name: pool,
        key,
        value: String::new(),
        description,
    };
    Ok(Cluster {
        server_name: if enabled { call.world.me() } else { String::new() },
        enabled,
        member_config: member_config.into_iter().map(key).collect(),
    })
}

/// Becomes the first member, or one of another's cluster.
async fn replace(call: Call<ClusterReplace>) -> Result<Operation> {
    let Call { world, caller, body, .. } = call;
    let leaves = !body.enabled;
    if leaves {
        let why = "a member is removed with DELETE /1.0/cluster/members/NAME";
        return Err(Error::bad("enabled", why));
    }
    let joins = !(body.cluster_address.is_empty() && body.cluster_token.is_empty());
    if joins {
        return Ok(cluster::join(&world, &caller, body)?);
    }
    let request = Request::new("Creating bootstrap node")
        .resource("cluster", "/1.0/cluster")
        .requestor(caller.requestor.clone())
        .uncancellable()
        .lock("cluster");
    let operations = world.operations.clone();
    let work = async move |_| {
        cluster::enable(&world, &caller, &body.server_name, &body.server_address).await
    };
    Ok(operations.spawn(request, work)?)
}

async fn list(call: Call<ClusterMembersList>) -> Result<Listing<ClusterMember>> {
    let found = cluster::list(&call.world).await?;
    listing::of(&call.query, found, |one| address(&one.server_name))
}

fn address(name: &str) -> String {
    cloud::url::of("cluster/members", name, wire::DEFAULT_PROJECT)
}

async fn token(call: Call<ClusterMemberCreate>) -> Result<Operation> {
    Ok(cluster::token(&call.world, &call.caller, &call.body)?)
}

async fn member(call: Call<ClusterMemberGet>) -> Result<Tagged<ClusterMember>> {
    let found = cluster::get(&call.world, call.path("name")).await?;
    let tag = cloud::etag::of(&found.writable());
    Ok(Tagged(found, tag))
}

async fn replace_member(call: Call<ClusterMemberReplace>) -> Result<Empty> {
    let change = |_| Ok(call.body.clone());
    let seen = call.if_match.clone();
    cluster::update(&call.world, &call.caller, call.path("name"), seen, change).await?;
    Ok(Empty {})
}

async fn patch_member(call: Call<ClusterMemberPatch>) -> Result<Empty> {
    let change = |old| call.body.apply(&old).map_err(|error| cloud::Error::invalid("body", error));
    let seen = call.if_match.clone();
    cluster::update(&call.world, &call.caller, call.path("name"), seen, change).await?;
    Ok(Empty {})
}

async fn rename(call: Call<ClusterMemberRename>) -> Result<Empty> {
    let to = &call.body.server_name;
    cluster::rename(&call.world, &call.caller, call.path("name"), to).await?;
    Ok(Empty {})
}

async fn remove(call: Call<ClusterMemberDelete>) -> Result<Empty> {
    let force = call.query.force;
    cluster::remove(&call.world, &call.caller, call.path("name"), force).await?;
    Ok(Empty {})
}

/// Whoever comes has no certificate that is known yet: the token says that it may.
async fn join(call: Call<ClusterJoin>) -> Result<Joined> {
    Ok(cluster::admit(&call.world, call.peer.certificate(), call.body.clone()).await?)
}

async fn begin(call: Call<ClusterBegin>) -> Result<Empty> {
    cluster::begin(&call.world, &from(&call)?).await?;
    Ok(Empty {})
}

async fn leave(call: Call<ClusterLeave>) -> Result<Empty> {
    from(&call)?;
    cluster::leave(&call.world).await?;
    Ok(Empty {})
}

async fn set_state(call: Call<ClusterMemberStateSet>) -> Result<Operation> {
    Ok(cluster::set_state(&call.world, &call.caller, call.path("name"), &call.body)?)
}

/// An instance goes to the member that asks.
async fn give_back(call: Call<ClusterInstanceReturn>) -> Result<Operation> {
    let to = from(&call)?;
    let Call { world, caller, body, .. } = call;
    Ok(cluster::give_back(&world, &caller, to, body)?)
}

/// An instance comes from the member that asks.
async fn receive(call: Call<ClusterInstanceReceive>) -> Result<Operation> {
    from(&call)?;
    let Call { world, caller, body, .. } = call;
    Ok(cloud::instances::migrate::from_member(&world, &caller, body)?)
}

/// The member that asks.
fn from<E: Endpoint>(call: &Call<E>) -> Result<Place> {
    call.peer.member(&call.world).ok_or(Error::Forbidden)
}

async fn store(RawCall { call, request }: RawCall<ClusterStore>) -> Result<Response> {
    let member = from(&call)?;
    let asks = request.headers().get(header::UPGRADE);
    if asks.is_none_or(|protocol| protocol.as_bytes() != PROTOCOL.as_bytes()) {
        return Err(Error::bad("upgrade", format!("\"{PROTOCOL}\" is spoken here")));
    }
    let store = call.world.linked_store();
    tokio::spawn(async move {
        let Ok(stream) = hyper::upgrade::on(request).await else { return };
        if let Err(error) = store.serve(TokioIo::new(stream)).await {
            tracing::debug!(member = member.name, %error, "a member's connection broke off");
        }
    });
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, PROTOCOL)
        .body(Body::empty())
        .map_err(|error| Error::bad("answer", error))
}
