//! Takes a member out of the cluster: one that answers, which begins anew as an empty server; or, with force, one
//! that is gone for good, with all that was on it.

use std::fs;

use tasks::Operation;
use wire::{
    Empty,
    endpoints::cluster::{ClusterLeave, ClusterMemberDelete},
    query::{NoQuery, RemoveQuery},
};

use super::{clustered, links::Place};
use crate::{
    Caller, Dirs, Error, Result, World,
    db::{
        instances::Made,
        members::{self as rows, Member},
        networks, pools,
    },
    url,
};

/// Removes a member. Without `force` only one that answers and has nothing; with it one that is gone, and what was on
/// it. One that answers and has something is never removed: what runs there would run on, and nobody would know of it.
pub async fn remove(world: &World, caller: &Caller, name: &str, force: bool) -> Result<()> {
    clustered(world)?;
    let (row, has) = world.store.read(|db| {
        let row = super::find(db, name)?;
        let has = rows::holds(db, row.id)?;
        Ok::<_, Error>((row, has))
    })?;
    if world.cluster.links.others().is_empty() {
        return Err(Error::invalid("cluster member", format!("\"{name}\" is the last one")));
    }
    if row.id == world.store.status().me {
        return ask_another(world, name, force).await;
    }
    let place = world.cluster.links.by_id(row.id);
    let answer = super::members::ping(world, place.as_ref()).await;
    let answers = answer.is_ok();
    if let Some(first) = has.first().filter(|_| answers || !force) {
        let more = has.len() - 1;
        let by = format!("{first} and {more} more things: move or delete them first");
        return Err(Error::InUse { what: "cluster member", name: name.to_owned(), by });
    }
    if !force {
        answer?;
    }
    forget(world, &row).await?;
    if answers
        && let Some(place) = place
        && let Err(error) = tell(world, &place).await
    {
        let error = tasks::chain(&error);
        tracing::warn!(
            member = name,
            error,
            "it was not told that it is removed: it will be when it is back"
        );
    }
    let source = url::of("cluster/members", name, crate::names::DEFAULT_PROJECT);
    world.tell(caller, crate::names::DEFAULT_PROJECT, "cluster-member-removed", source);
    Ok(())
}

/// Removes a member that is gone for good, and makes a token for the machine that is to be what it was: its name, its
/// groups, its options. What was on it is gone with it.
pub async fn replace(world: &World, caller: &Caller, name: &str) -> Result<Operation> {
    clustered(world)?;
    let before = super::members::get(world, name).await?.writable();
    let id = super::whose::named(world, name)?;
    let place = world.cluster.links.by_id(id);
    if id == world.store.status().me || super::members::ping(world, place.as_ref()).await.is_ok() {
        let why = format!("\"{name}\" answers: only one that is gone for good can be replaced");
        return Err(Error::invalid("cluster member", why));
    }
    remove(world, caller, name, true).await?;
    super::token::heir(world, caller, name, &before)
}

/// Has another member remove this one: who goes cannot see it to its end.
async fn ask_another(world: &World, name: &str, force: bool) -> Result<()> {
    let mut last = Error::BrokenOff;
    for place in world.cluster.links.others() {
        let (client, query) = (super::client(world, &place)?, RemoveQuery { force });
        match client.call::<ClusterMemberDelete>(&[name], &query, &Empty {}).await {
            Ok(Empty {}) => return Ok(()),
            Err(error) => last = error.into(),
        }
    }
    Err(last)
}

/// Removes a member's vote and its row, and with that all rows of what was on it.
pub(super) async fn forget(world: &World, row: &Member) -> Result<()> {
    let known = world.store.status().members.iter().any(|(member, _)| member.id == row.id);
    if known {
        world.store.remove(row.id).await?;
    }
    world
        .store
        .write(|db| {
            crate::db::forget_member(db, row.id, &row.name)?;
            Ok::<_, Error>(rows::delete(db, row.id)?)
        })
        .await?;
    super::refresh(world)
}

async fn tell(world: &World, place: &Place) -> Result<()> {
    let client = super::client(world, place)?;
    let Empty {} = client.call::<ClusterLeave>(&[], &NoQuery {}, &Empty {}).await?;
    Ok(())
}

/// A member says that this one is none any more: it begins anew, alone and empty.
pub async fn leave(world: &World) -> Result<()> {
    clear(world).await;
    left(world)
}

/// Takes down what this member had of the cluster's pools and networks. What cannot go, or still holds something,
/// stays: a new server finds it in its folder.
async fn clear(world: &World) {
    let found = world.store.read(|db| Ok::<_, Error>((pools::all(db)?, networks::all(db)?)));
    let (pools, networks) = match found {
        Ok(found) => found,
        Err(error) => return tracing::warn!(error = %tasks::chain(&error), "what was there stays"),
    };
    for pool in pools.into_iter().filter(|pool| pool.made == Made::Ready) {
        if let Err(error) = crate::storage::abandon(world, &pool).await {
            let error = tasks::chain(&error);
            tracing::warn!(pool = pool.name, error, "what this server had of the pool stays");
        }
    }
    for network in networks {
        if let Err(error) = crate::reconcile::teardown(world, &network).await {
            tracing::warn!(network = network.name, error = %tasks::chain(&error), "network stays");
        }
    }
}

/// Notes that this server is no member any more, and begins anew.
pub fn left(world: &World) -> Result<()> {
    let mark = world.dirs.left_cluster();
    fs::File::create(&mark)
        .and_then(|file| file.sync_all())
        .map_err(Error::file("write", &mark))?;
    world.cluster.begin_anew();
    Ok(())
}

/// Removes what belonged to a cluster that was left; at start, before the database is opened.
///
/// # Errors
/// When the disk does not let it.
pub fn finish(dirs: &Dirs) -> Result<()> {
    let mark = dirs.left_cluster();
    if !mark.exists() {
        return Ok(());
    }
    crate::disk::remove_folder(&dirs.database())?;
    for path in
        [dirs.cluster_certificate(), dirs.cluster_key(), dirs.local_db(), dirs.powers(), mark]
    {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::file("remove", &path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}
