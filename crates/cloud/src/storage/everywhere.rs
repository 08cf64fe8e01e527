//! A pool is on every member of a cluster, or goes from every one: what one member decides each does for itself, at
//! once if it is there, and when it comes back otherwise.
//!
//! ```text
//! made on one: the pool is ready ──> each other member makes its own part, from what all share and what was said of it
//! to be deleted                  ──> each member removes its own part; with the last the pool is gone
//! a member became a witness      ──> it removes its own part alone
//! ```

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tasks::{Reconciler, Report};

use super::{create, delete};
use crate::{
    Error, Result, World,
    db::{
        instances::Made,
        members,
        pools::{self as rows, Pool},
    },
    reconcile::STATE,
};

/// How long a client waits for the members that are there.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at what they have.
const LOOK: Duration = Duration::from_millis(20);
/// Before what failed is tried again.
const AGAIN: Duration = Duration::from_secs(60);

/// Makes and removes this member's parts of pools.
#[derive(Default)]
pub struct Everywhere {
    failed: HashMap<String, Instant>,
}

#[async_trait::async_trait]
impl Reconciler<World> for Everywhere {
    fn name(&self) -> &'static str {
        "pools of the cluster"
    }

    fn topics(&self) -> &'static [&'static str] {
        &[STATE]
    }

    fn period(&self) -> Duration {
        AGAIN
    }

    async fn activate(&mut self, world: &Arc<World>) -> Report {
        let mut report = Report::default();
        if !world.is_clustered() {
            return report;
        }
        let found = world.store.read(|db| {
            let rows = rows::all(db)?.into_iter();
            rows.map(|row| Ok((rows::whole(db, &row.name)?, row))).collect::<Result<Vec<_>>>()
        });
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                report.fail(Arc::new(error));
                return report;
            }
        };
        let own = world.store.read(crate::cluster::own);
        let witness = own.is_ok_and(|own| own.part == members::Part::Witness);
        for (whole, row) in found {
            match self.settle(world, (whole, witness), &row).await {
                Ok(changed) => report.changed += usize::from(changed),
                Err(error) => report.fail(Arc::new(error)),
            }
        }
        report
    }
}

impl Everywhere {
    /// Does what is to be done with a pool here, where a witness has none; whether there was something.
    async fn settle(
        &mut self,
        world: &World,
        (whole, witness): (Option<Made>, bool),
        row: &Pool,
    ) -> Result<bool> {
        let done = match (whole, row.made) {
            (Some(Made::Ready), Made::Creating) if !witness && self.may_try(&row.name) => {
                create::make_here(world, row).await
            }
            (Some(Made::Ready), Made::Ready) if witness && self.may_try(&row.name) => {
                delete::vacate(world, row).await
            }
            (Some(Made::Deleting), Made::Ready) if self.may_try(&row.name) => {
                delete::remove_here(world, &row.name).await
            }
            _ => return Ok(false),
        };
        match done {
            Ok(()) => {
                self.failed.remove(&row.name);
                Ok(true)
            }
            // Whoever has it does it.
            Err(Error::Busy(_)) => Ok(false),
            Err(error) => {
                self.failed.insert(row.name.clone(), Instant::now());
                note(world, row, &error).await?;
                Err(error)
            }
        }
    }

    fn may_try(&self, name: &str) -> bool {
        self.failed.get(name).is_none_or(|at| at.elapsed() >= AGAIN)
    }
}

/// Leaves word for those who wait why a pool could not be made here.
async fn note(world: &World, row: &Pool, error: &Error) -> Result<()> {
    let words = tasks::chain(error);
    world
        .store
        .write(|db| {
            let (now, me) = (rows::get(db, &row.name)?, db.me());
            let Some(now) = now.filter(|now| now.made != Made::Ready) else { return Ok(()) };
            let local = rows::parts(&now.driver, &now.config).1;
            Ok::<_, Error>(rows::set_local(db, &row.name, me, &local, now.made, &words)?)
        })
        .await
}

/// Waits until each member that is there has its part of a pool.
///
/// # Errors
/// Why one of them could not make it; the others have it.
pub(super) async fn until_made(world: &World, name: &str) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    // What takes longer goes on behind.
    while world.is_clustered() && !is_made(world, name).await? && Instant::now() < end {
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

async fn is_made(world: &World, name: &str) -> Result<bool> {
    let there = there(world).await?;
    let locals = world.store.read(|db| Ok::<_, Error>(rows::locals(db, name)?))?;
    let of = |member: &String| locals.iter().find(|local| local.member == *member);
    if let Some(local) = there.iter().filter_map(of).find(|local| !local.message.is_empty()) {
        let (pool, member) = (name.to_owned(), local.member.clone());
        return Err(Error::NotOnMember { pool, member, said: local.message.clone() });
    }
    let ready = |member: &String| of(member).is_some_and(|local| local.made == Made::Ready);
    Ok(there.iter().all(ready))
}

/// Waits until no member that is there has a part of a pool.
pub(super) async fn until_gone(world: &World, name: &str) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    while world.is_clustered() && !is_gone(world, name).await? && Instant::now() < end {
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

async fn is_gone(world: &World, name: &str) -> Result<bool> {
    let locals = world.store.read(|db| Ok::<_, Error>(rows::locals(db, name)?))?;
    if locals.is_empty() {
        return Ok(true);
    }
    let there = there(world).await?;
    Ok(!locals.iter().any(|local| there.contains(&local.member)))
}

/// The members that answer, have begun and have pools, by name.
async fn there(world: &World) -> Result<Vec<String>> {
    let ids = crate::cluster::there(world).await;
    let all = world.store.read(|db| Ok::<_, Error>(members::all(db)?))?;
    let without = [members::Part::Joining, members::Part::Witness];
    let begun = all.into_iter().filter(|member| !without.contains(&member.part));
    Ok(begun.filter(|member| ids.contains(&member.id)).map(|member| member.name).collect())
}
