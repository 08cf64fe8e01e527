//! Goes on with one member when so many are lost for good that no majority will ever be there again.
//!
//! ```text
//! asked, no majority, no other vote can be reached ──> marked ──> begins anew: its database is one of its own,
//!     with all that it has ──> the others are nobody any more, until they are removed and join again
//! ```
//! Should the others be there after all, they do not meet this one: its cluster is another, and it believes none of
//! their certificates.

use std::{fs, sync::Arc};

use tasks::{Operation, Request};

use super::clustered;
use crate::{
    Caller, Dirs, Error, Result, World,
    db::members::{self as rows, Member},
};

/// Has this server go on without the others. With `force` although some of them can be reached.
///
/// # Errors
/// There is a majority, or members with a vote can be reached.
pub async fn recover(world: &Arc<World>, caller: &Caller, force: bool) -> Result<Operation> {
    clustered(world)?;
    if world.store.read_latest(|_| Ok::<_, Error>(())).await.is_ok() {
        let why = "a majority of the members is there; those that are lost: microcloud cluster remove NAME --force";
        return Err(Error::invalid("recovery", why));
    }
    let reached = reached(world).await;
    if !reached.is_empty() && !force {
        let why = format!(
            "{} can be reached, and what only they know would be lost: bring the others back, or say --force on the \
             member that is to go on",
            reached.join(", ")
        );
        return Err(Error::invalid("recovery", why));
    }
    let request = Request::new("Recovering cluster")
        .resource("cluster", "/1.0/cluster")
        .requestor(caller.requestor.clone())
        .uncancellable()
        .lock("cluster");
    let of_it = world.clone();
    let work = async move |_| {
        let mark = of_it.dirs.recovering();
        crate::disk::write(&mark, b"")?;
        of_it.cluster.begin_anew();
        Ok::<_, Error>(())
    };
    Ok(world.operations.spawn(request, work)?)
}

/// The others that have a vote and answer now.
async fn reached(world: &World) -> Vec<String> {
    let status = world.store.status();
    let voters = status.members.iter().filter(|(one, votes)| *votes && one.id != status.me);
    let asked = voters.map(async |(one, _)| {
        let place = world.cluster.links.by_id(one.id)?;
        let there = super::members::ping(world, Some(&place)).await.is_ok();
        there.then_some(place.name)
    });
    futures_util::future::join_all(asked).await.into_iter().flatten().collect()
}

/// Makes the database one of this server alone, where that was asked for; at start, before it is opened. Done twice, it
/// is done.
///
/// # Errors
/// When the database cannot be changed.
pub fn go_on_alone(dirs: &Dirs) -> Result<()> {
    if !dirs.recovering().exists() {
        return Ok(());
    }
    let found = store::recover(&dirs.database())?;
    let (lost, index) = (found.removed.len(), found.last_index);
    tracing::warn!(lost, index, "going on without the members that were lost");
    Ok(())
}

/// Has the lost members be nobody: what one of them says, should it come back, is not believed, and nothing is sent
/// there. Their rows stay, with what was on them, until they are removed.
///
/// # Errors
/// When the database cannot be changed.
pub async fn give_up_lost(world: &World) -> Result<()> {
    let mark = world.dirs.recovering();
    if !mark.exists() {
        return Ok(());
    }
    let written = world.store.write(|db| {
        let me = db.me();
        for row in rows::all(db)?.into_iter().filter(|row| row.id != me) {
            rows::update(db, &Member { certificate: String::new(), ..row })?;
        }
        Ok::<_, Error>(())
    });
    written.await?;
    fs::remove_file(&mark).map_err(Error::file("remove", &mark))
}
