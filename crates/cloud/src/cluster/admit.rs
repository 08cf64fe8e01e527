//! What the cluster does for a server that joins: lets it in for its token, then gives it the database.

use wire::{ClusterMemberPut, JoinPost, Joined, JoinedMember};

use super::{
    clustered,
    enable::check_name,
    links::Place,
    token::{HOLDER, LIKE},
};
use crate::{
    Error, Result, World,
    certificates::tokens,
    db::{
        instances::Made,
        members::{self as rows, Member, Part},
        networks, pools, server,
    },
};

/// Lets a server in that shows this certificate. It gets its number, the cluster's certificate, and who is there.
pub async fn admit(world: &World, certificate: Option<&[u8]>, post: JoinPost) -> Result<Joined> {
    clustered(world)?;
    let certificate = certificate.ok_or(Error::Forbidden)?;
    let token = tokens::spend(world, "serverName", &post.secret)?;
    if token.metadata("serverName").and_then(|name| Some(name.as_str()? == post.name)) != Some(true)
    {
        return Err(Error::Forbidden);
    }
    let holder = token.metadata(HOLDER);
    if holder.is_some_and(|holder| holder.as_str() != Some(&tls::fingerprint(certificate))) {
        return Err(Error::Forbidden);
    }
    check_name(&post.name)?;
    let level = world.store.needs();
    if post.schema < level {
        let why = format!("it knows levels of the database up to {}, not {level}", post.schema);
        return Err(Error::invalid("version of the server that joins", why));
    }
    forget_half_joined(world, &post.name).await?;
    let like = token.metadata(LIKE);
    let like = like.and_then(|like| serde_json::from_value::<ClusterMemberPut>(like).ok());
    let as_before = like.unwrap_or_default();
    let new = Member {
        name: post.name.clone(),
        address: post.address.clone(),
        architecture: post.architecture.clone(),
        certificate: tls::to_pem(certificate),
        failure_domain: match as_before.failure_domain {
            domain if domain.is_empty() => String::from("default"),
            domain => domain,
        },
        description: as_before.description,
        config: as_before.config.into(),
        part: Part::Joining,
        ..Member::default()
    };
    let id = world
        .store
        .write(|db| {
            if rows::get(db, &new.name)?.is_some() {
                return Err(Error::exists("cluster member", &new.name));
            }
            let id = rows::insert(db, &new, clock::utc())?;
            for (key, value) in &post.server_config {
                server::set_local(db, id, key, value)?;
            }
            put_in_groups(db, id, &as_before.groups)?;
            place_pools(db, id, &post)?;
            place_networks(db, id, &post)?;
            Ok::<_, Error>(id)
        })
        .await?;
    super::refresh(world)?;
    let identity = world.identity()?;
    let members = world.cluster.links.others().into_iter();
    let members = members.chain(world.cluster.links.by_id(world.store.status().me));
    Ok(Joined {
        id,
        cluster: world.store.status().cluster.to_string(),
        certificate: identity.pem(),
        key: world.shared_key()?,
        members: members.filter(|place| place.id != id).map(told).collect(),
    })
}

fn told(place: Place) -> JoinedMember {
    JoinedMember { id: place.id, address: place.address, fingerprint: place.fingerprint }
}

/// Puts it into those of the groups that are still there; with none of them it stays in the default one.
fn put_in_groups(db: &mut store::Write<'_>, id: u64, groups: &[String]) -> Result<()> {
    let mut there = Vec::new();
    for group in groups {
        if crate::db::cluster_groups::get(db, group)?.is_some() {
            there.push(group.clone());
        }
    }
    if there.is_empty() {
        return Ok(());
    }
    crate::db::cluster_groups::set_of_member(db, id, &there)
}

/// What the server says of its own part of a thing.
fn said(post: &JoinPost, entity: &str, name: &str) -> options::Raw {
    let own = post
        .member_config
        .iter()
        .filter(|key| key.entity == entity && key.name == name && !key.value.is_empty());
    own.map(|key| (key.key.clone(), key.value.clone())).collect()
}

/// What the server says of its own part of networks.
fn place_networks(db: &mut store::Write<'_>, id: u64, post: &JoinPost) -> Result<()> {
    for network in networks::all(db)? {
        let (shared, local) = networks::parts(&said(post, "network", &network.name));
        if let Some(key) = shared.keys().next() {
            let why = format!("{key} of network \"{}\" is the same on all members", network.name);
            return Err(Error::invalid("member configuration", why));
        }
        networks::set_local(db, &network.name, id, &local)?;
    }
    Ok(())
}

/// What the server says of its own part of pools; what it says nothing of is made as usual.
fn place_pools(db: &mut store::Write<'_>, id: u64, post: &JoinPost) -> Result<()> {
    for pool in pools::all(db)? {
        let config = said(post, "storage-pool", &pool.name);
        if config.is_empty() {
            continue;
        }
        let (shared, local) = pools::parts(&pool.driver, &config);
        if let Some(key) = shared.keys().next() {
            let why = format!("{key} of storage pool \"{}\" is the same on all members", pool.name);
            return Err(Error::invalid("member configuration", why));
        }
        pools::set_local(db, &pool.name, id, &local, Made::Creating, "")?;
    }
    Ok(())
}

/// One that was let in before under that name and never began.
async fn forget_half_joined(world: &World, name: &str) -> Result<()> {
    let found = world.store.read(|db| Ok::<_, Error>(rows::get(db, name)?))?;
    match found.filter(|row| row.part == Part::Joining) {
        Some(row) => super::leave::forget(world, &row).await,
        None => Ok(()),
    }
}

/// Gives a member that was let in all that is in the database; it follows from now on.
pub async fn begin(world: &World, member: &Place) -> Result<()> {
    clustered(world)?;
    let (id, name, address) = (member.id, member.name.clone(), member.address.clone());
    Ok(world.store.add(store::Member { id, name, address }).await?)
}
