//! `/1.0/cluster`, and beneath `/internal/cluster` what members say to each other.

use axum::{body::Body, response::Response};
use cloud::cluster::{self, PROTOCOL, Place};
use http::{StatusCode, header};
use hyper_util::rt::TokioIo;
use tasks::{Operation, Request};
use wire::{
    Cluster, ClusterGroup, ClusterMember, ClusterMemberConfigKey, ClusterMemberState, Empty,
    Endpoint, Joined, Listing, Pulse, Standing, endpoints::cluster::*,
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
        .sync::<ClusterMemberStateGet, _>(state)
        .sync::<ClusterCertificateReplace, _>(replace_certificate)
        .sync::<ClusterGroupsList, _>(groups)
        .sync::<ClusterGroupCreate, _>(create_group)
        .tagged::<ClusterGroupGet, _>(group)
        .sync::<ClusterGroupReplace, _>(replace_group)
        .sync::<ClusterGroupPatch, _>(patch_group)
        .sync::<ClusterGroupRename, _>(rename_group)
        .sync::<ClusterGroupDelete, _>(delete_group)
        .sync::<ClusterJoin, _>(join)
        .sync::<ClusterBegin, _>(begin)
        .sync::<ClusterLeave, _>(leave)
        .background::<ClusterMemberStateSet, _>(set_state)
        .background::<ClusterInstanceReturn, _>(give_back)
        .background::<ClusterInstanceReceive, _>(receive)
        .background::<ClusterRecover, _>(recover)
        .sync::<ClusterPing, _>(ping)
        .sync::<ClusterStanding, _>(standing)
        .raw::<ClusterStore, _>(store)
}

async fn get(call: Call<ClusterGet>) -> Result<Cluster> {
    let enabled = call.world.is_clustered();
    let world = &call.world;
    let (pools, networks) = match enabled {
        true => (cloud::storage::local_keys(world)?, cloud::networks::local_keys(world)?),
        false => Default::default(),
    };
    let of = |entity: &'static str| {
        move |(name, key, description): (String, String, String)| ClusterMemberConfigKey {
            entity: entity.to_owned(),
            name,
            key,
            value: String::new(),
            description,
        }
    };
    let pools = pools.into_iter().map(of("storage-pool"));
    let networks = networks.into_iter().map(of("network"));
    Ok(Cluster {
        server_name: if enabled { call.world.me() } else { String::new() },
        enabled,
        member_config: pools.chain(networks).collect(),
    })
}

/// Becomes the first member, or one of another's cluster; or is let go, as it was removed.
async fn replace(call: Call<ClusterReplace>) -> Result<Operation> {
    let Call { world, caller, body, .. } = call;
    let leaves = !body.enabled;
    if leaves {
        return Ok(cluster::let_go(&world, &caller)?);
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

async fn state(call: Call<ClusterMemberStateGet>) -> Result<ClusterMemberState> {
    Ok(cluster::state(&call.world, call.path("name")).await?)
}

async fn replace_certificate(call: Call<ClusterCertificateReplace>) -> Result<Empty> {
    cluster::replace_certificate(&call.world, &call.caller, call.body).await?;
    Ok(Empty {})
}

async fn groups(call: Call<ClusterGroupsList>) -> Result<Listing<ClusterGroup>> {
    let url =
        |one: &ClusterGroup| cloud::url::of("cluster/groups", &one.name, wire::DEFAULT_PROJECT);
    listing::of(&call.query, cluster::groups::list(&call.world)?, url)
}

async fn create_group(call: Call<ClusterGroupCreate>) -> Result<Empty> {
    cluster::groups::create(&call.world, &call.caller, &call.body).await?;
    Ok(Empty {})
}

async fn group(call: Call<ClusterGroupGet>) -> Result<Tagged<ClusterGroup>> {
    let found = cluster::groups::get(&call.world, call.path("name"))?;
    let tag = cloud::etag::of(&found.writable());
    Ok(Tagged(found, tag))
}

async fn replace_group(call: Call<ClusterGroupReplace>) -> Result<Empty> {
    let change = |_| Ok(call.body.clone());
    let seen = call.if_match.clone();
    cluster::groups::update(&call.world, &call.caller, call.path("name"), seen, change).await?;
    Ok(Empty {})
}

async fn patch_group(call: Call<ClusterGroupPatch>) -> Result<Empty> {
    let change = |old| call.body.apply(&old).map_err(|error| cloud::Error::invalid("body", error));
    let seen = call.if_match.clone();
    cluster::groups::update(&call.world, &call.caller, call.path("name"), seen, change).await?;
    Ok(Empty {})
}

async fn rename_group(call: Call<ClusterGroupRename>) -> Result<Empty> {
    let to = &call.body.name;
    cluster::groups::rename(&call.world, &call.caller, call.path("name"), to).await?;
    Ok(Empty {})
}

async fn delete_group(call: Call<ClusterGroupDelete>) -> Result<Empty> {
    cluster::groups::delete(&call.world, &call.caller, call.path("name")).await?;
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

async fn recover(call: Call<ClusterRecover>) -> Result<Operation> {
    Ok(cluster::recover(&call.world, &call.caller, call.body.force).await?)
}

/// One that was given up (`microcloud cluster recover`) is nobody's member, though it knows where this one is.
async fn ping(call: Call<ClusterPing>) -> Result<Pulse> {
    from(&call)?;
    if call.world.is_open() { Ok(cluster::pulse(&call.world)) } else { Err(Error::Starting) }
}

/// Whoever comes may be none any more, and hears that.
async fn standing(call: Call<ClusterStanding>) -> Result<Standing> {
    Ok(cluster::standing(&call.world, call.query.member).await?)
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
    let (store, links) = (call.world.linked_store(), call.world.cluster.links.clone());
    tokio::spawn(async move {
        let Ok(stream) = hyper::upgrade::on(request).await else { return };
        let stream = links.noting(member.id, TokioIo::new(stream));
        if let Err(error) = store.serve(stream).await {
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
