//! `/internal/cluster/session` and what is beside it: machines that join by a few words, and where members are.

use cloud::cluster::{self, session};
use tasks::Operation;
use wire::{
    ClusterNearby, ClusterSession, ClusterWords, Empty, SessionElement, SessionWelcome,
    endpoints::session::*,
};

use crate::{
    error::{Error, Result},
    routes::{Call, Routes},
};

pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .sync::<ClusterSessionOpen, _>(open)
        .sync::<ClusterSessionGet, _>(get)
        .sync::<ClusterSessionClose, _>(close)
        .sync::<ClusterSessionHello, _>(hello)
        .sync::<ClusterSessionProve, _>(prove)
        .sync::<ClusterNearbyList, _>(nearby)
        .sync::<ClusterWordsSay, _>(say)
        .sync::<ClusterAddressesList, _>(addresses)
        .sync::<ClusterMoved, _>(moved)
        .sync::<ClusterAddressSet, _>(set_address)
        .background::<ClusterMemberReplaced, _>(replace)
}

async fn open(call: Call<ClusterSessionOpen>) -> Result<ClusterSession> {
    Ok(session::open(&call.world).await?)
}

async fn get(call: Call<ClusterSessionGet>) -> Result<ClusterSession> {
    Ok(session::get(&call.world)?)
}

async fn close(call: Call<ClusterSessionClose>) -> Result<Empty> {
    session::close(&call.world);
    Ok(Empty {})
}

/// Whoever comes has no certificate that is known yet: the words say that it may.
async fn hello(call: Call<ClusterSessionHello>) -> Result<SessionElement> {
    Ok(session::hello(&call.world, call.peer.certificate(), &call.body)?)
}

async fn prove(call: Call<ClusterSessionProve>) -> Result<SessionWelcome> {
    let (peer, from) = (&call.peer, call.peer.from());
    Ok(session::prove(&call.world, peer.certificate(), &from, &call.body)?)
}

async fn nearby(call: Call<ClusterNearbyList>) -> Result<Vec<ClusterNearby>> {
    Ok(cluster::nearby(&call.world).await?)
}

async fn say(call: Call<ClusterWordsSay>) -> Result<ClusterWords> {
    Ok(session::say_words(&call.world, &call.body).await?)
}

async fn addresses(call: Call<ClusterAddressesList>) -> Result<Vec<String>> {
    Ok(cluster::addresses(&call.world)?)
}

async fn moved(call: Call<ClusterMoved>) -> Result<Empty> {
    let member = call.peer.member(&call.world).ok_or(Error::Forbidden)?;
    cluster::moved(&call.world, &member, &call.body)?;
    Ok(Empty {})
}

async fn set_address(call: Call<ClusterAddressSet>) -> Result<Empty> {
    cluster::set_address(&call.world, call.path("name"), &call.body.address).await?;
    Ok(Empty {})
}

async fn replace(call: Call<ClusterMemberReplaced>) -> Result<Operation> {
    Ok(cluster::replace(&call.world, &call.caller, call.path("name")).await?)
}
