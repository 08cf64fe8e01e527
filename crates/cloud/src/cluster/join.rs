//! Makes a server that is alone a member of another's cluster. Until the last step it is the server that it was:
//! the cluster's database grows in a folder beside its own, and takes its place by one renaming.
//!
//! ```text
//! let in ──> database.joining/ has all there is ──> [ready] ──> database/ is it, the old one is database.alone/
//!    a crash before [ready]: the folder goes, and the server is as before        the daemon begins anew
//! ```

use std::{fs, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use client::{Client, Network};
use store::{Options, Store};
use tasks::{Operation, Request};
use tls::Pin;
use wire::{
    ClusterMemberJoinToken, ClusterPut, Empty, JoinPost, Joined,
    endpoints::cluster::{ClusterBegin, ClusterJoin},
    query::NoQuery,
};

use super::{
    enable::{check_name, settle_address},
    links::Place,
};
use crate::{
    Caller, Dirs, Error, Result, World,
    blocking::blocking,
    db::{images, instances, members as rows, networks, pools, projects, server},
    disk,
};

/// For the database to arrive, once the cluster has begun to send it.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks whether it has.
const LOOK: Duration = Duration::from_millis(20);

/// Where the cluster is and how it is known.
struct Way {
    addresses: Vec<String>,
    fingerprint: String,
    secret: String,
}

/// Has the server join; the operation ends when it has the database, and the daemon then begins anew.
pub fn join(world: &Arc<World>, caller: &Caller, put: ClusterPut) -> Result<Operation> {
    check_can(world)?;
    let (way, put) = way(put)?;
    check_name(&put.server_name)?;
    let request = Request::new("Joining cluster")
        .resource("cluster", "/1.0/cluster")
        .requestor(caller.requestor.clone())
        .uncancellable()
        .lock("cluster");
    let world_of_it = world.clone();
    let work = async move |_| {
        let world = world_of_it;
        let done = become_member(&world, &way, &put).await;
        if done.is_err() {
            world.cluster.set_joining(None);
            world.cluster.links.clear();
            let _ = fs::remove_dir_all(world.dirs.joining_database());
        } else {
            world.cluster.begin_anew();
        }
        done
    };
    Ok(world.operations.spawn(request, work)?)
}

fn way(mut put: ClusterPut) -> Result<(Way, ClusterPut)> {
    if put.cluster_token.is_empty() {
        let fingerprint = match put.cluster_certificate.contains("BEGIN") {
            true => tls::from_text(&put.cluster_certificate)
                .map(|der| tls::fingerprint(&der))
                .map_err(|why| Error::invalid("cluster certificate", why.to_string()))?,
            false => put.cluster_certificate.clone(),
        };
        if put.cluster_address.is_empty()
            || fingerprint.is_empty()
            || put.cluster_password.is_empty()
        {
            let why = "a token is needed, or address, certificate and secret of the cluster";
            return Err(Error::invalid("cluster", why));
        }
        let (addresses, secret) = (vec![put.cluster_address.clone()], put.cluster_password.clone());
        // The secret may be a whole token, too.
        let secret = decode(&secret).map_or(secret, |token| token.secret);
        return Ok((Way { addresses, fingerprint, secret }, put));
    }
    let token = decode(&put.cluster_token)
        .ok_or_else(|| Error::invalid("token", "it is none of a cluster"))?;
    if put.server_name.is_empty() {
        put.server_name.clone_from(&token.server_name);
    }
    if put.server_name != token.server_name {
        let why = format!("it is for \"{}\", not \"{}\"", token.server_name, put.server_name);
        return Err(Error::invalid("token", why));
    }
    let ClusterMemberJoinToken { addresses, fingerprint, secret, .. } = token;
    Ok((Way { addresses, fingerprint, secret }, put))
}

fn decode(text: &str) -> Option<ClusterMemberJoinToken> {
    let bytes = STANDARD.decode(text.trim()).ok()?;
    let token: ClusterMemberJoinToken = serde_json::from_slice(&bytes).ok()?;
    (!token.secret.is_empty()).then_some(token)
}

/// Fails unless this server may join a cluster: it is in none, and has nothing.
pub(super) fn check_can(world: &World) -> Result<()> {
    if world.is_clustered() {
        return Err(Error::InCluster { name: world.me() });
    }
    check_empty(world)
}

/// What a server has of its own would be lost.
fn check_empty(world: &World) -> Result<()> {
    let has = world.store.read(|db| {
        let instance = instances::all(db)?.into_iter().map(|one| format!("instance {}", one.name));
        let image = images::all(db)?.into_iter().map(|one| format!("image {}", one.fingerprint));
        let pool = pools::all(db)?.into_iter().map(|one| format!("storage pool {}", one.name));
        let network = networks::all(db)?.into_iter().map(|one| format!("network {}", one.name));
        let project = projects::all(db)?.into_iter();
        let project = project.filter(|one| one.name != crate::names::DEFAULT_PROJECT);
        let project = project.map(|one| format!("project {}", one.name));
        let all = instance.chain(image).chain(pool).chain(network).chain(project);
        Ok::<_, Error>(all.collect::<Vec<_>>())
    })?;
    match has.first() {
        None => Ok(()),
        Some(first) => Err(Error::NotEmpty { first: first.clone(), more: has.len() - 1 }),
    }
}

async fn become_member(world: &Arc<World>, way: &Way, put: &ClusterPut) -> Result<()> {
    let towards = way.addresses.first().map(String::as_str);
    let address = settle_address(world, &put.server_address, towards).await?;
    let own = world.own_identity()?;
    let pin = Pin::Fingerprint(way.fingerprint.clone());
    let (joined, host) = ask_in(world, way, put, &address, &pin).await?;
    let places = joined.members.iter().map(|member| Place {
        id: member.id,
        name: member.id.to_string(),
        address: member.address.clone(),
        fingerprint: member.fingerprint.clone(),
    });
    world.cluster.links.know(joined.id, own.clone(), places);
    let store = open(world, &joined, put, &address).await?;
    world.cluster.set_joining(Some(store.clone()));
    let arrived = async {
        let network = Network { identity: Some(own.clone()), ..host };
        let client = Client::remote(network);
        let Empty {} = client.call::<ClusterBegin>(&[], &NoQuery {}, &Empty {}).await?;
        let own_row = || {
            let found = store.read(|db| rows::by_id(db, joined.id));
            // Before the first of it has come there are no tables.
            found.is_ok_and(|found| found.is_some())
        };
        let look = async {
            while !own_row() {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(PATIENCE, look).await.map_err(|_| Error::BrokenOff)
    };
    let arrived = arrived.await;
    world.cluster.set_joining(None);
    store.close().await?;
    arrived?;
    world.keep_shared_identity(&joined.certificate, &joined.key)?;
    let dirs = world.dirs.clone();
    blocking("note that the database is there", move || {
        let ready = dirs.joining_database().join(READY);
        fs::File::create(&ready)
            .and_then(|file| file.sync_all())
            .and_then(|()| fs::File::open(dirs.joining_database())?.sync_all())
            .map_err(Error::file("write", &ready))
    })
    .await
}

/// Asks each member that is known until one answers; says where that is.
async fn ask_in(
    world: &World,
    way: &Way,
    put: &ClusterPut,
    address: &str,
    pin: &Pin,
) -> Result<(Joined, Network)> {
    let config = world.store.read(|db| Ok::<_, Error>(server::local(db, db.me())?))?;
    let post = JoinPost {
        secret: way.secret.clone(),
        name: put.server_name.clone(),
        address: address.to_owned(),
        architecture: world.host.architecture.clone(),
        schema: world.store.known_level(),
        member_config: put.member_config.clone(),
        server_config: config.into_iter().collect(),
    };
    let mut last = Error::invalid("token", "it names no address");
    for address in &way.addresses {
        let Some(network) = Network::at(address, pin.clone(), Some(world.own_identity()?)) else {
            last =
                Error::invalid("cluster address", format!("\"{address}\" is not like host:port"));
            continue;
        };
        let client = Client::remote(network.clone());
        match client.call::<ClusterJoin>(&[], &NoQuery {}, &post).await {
            Ok(joined) => return Ok((joined, network)),
            Err(error) => last = error.into(),
        }
    }
    Err(last)
}

async fn open(world: &World, joined: &Joined, put: &ClusterPut, address: &str) -> Result<Store> {
    let folder = world.dirs.joining_database();
    disk::remove_folder(&folder)?;
    let cluster = joined.cluster.parse().map_err(|_| Error::BrokenOff)?;
    let me =
        store::Member { id: joined.id, name: put.server_name.clone(), address: address.to_owned() };
    let transport = world.cluster.links.clone();
    let options =
        Options { me, join: Some(cluster), transport, ..Options::new(world.store.schema()) };
    Ok(Store::open(&folder, options).await?)
}

/// The mark of a database that has all.
const READY: &str = "ready";

/// Puts the database of a cluster that was joined in its place, or removes one that is not whole; at start, before
/// the database is opened.
///
/// # Errors
/// When the disk does not let it.
pub fn finish(dirs: &Dirs) -> Result<()> {
    let (new, now, old) = (dirs.joining_database(), dirs.database(), dirs.alone_database());
    if !new.join(READY).exists() {
        return disk::remove_folder(&new);
    }
    if !old.exists() {
        fs::rename(&now, &old).map_err(Error::file("rename", &now))?;
    } else {
        // The renaming was done, and then it broke off; or `now` is a new, empty folder.
        disk::remove_folder(&now)?;
    }
    fs::rename(&new, &now).map_err(Error::file("rename", &new))?;
    disk::sync(dirs.root())?;
    let ready = now.join(READY);
    fs::remove_file(&ready).map_err(Error::file("remove", &ready))?;
    disk::remove_folder(&old)
}
