//! Deletes the backups whose time is over.

use std::{sync::Arc, time::Duration};

use tasks::{Reconciler, Report};

use crate::{
    Error, Result, World,
    backups::{self, Owner},
    db::instances::Made,
    instances, storage, volumes,
};

/// Looks about every minute.
pub struct Backups;

#[async_trait::async_trait]
impl Reconciler<World> for Backups {
    fn name(&self) -> &'static str {
        "backups"
    }

    fn topics(&self) -> &'static [&'static str] {
        &[]
    }

    fn period(&self) -> Duration {
        Duration::from_secs(60)
    }

    async fn activate(&mut self, world: &Arc<World>) -> Report {
        let mut report = Report::default();
        delete_over::<instances::backups::Of>(world, &mut report).await;
        delete_over::<volumes::backups::Of>(world, &mut report).await;
        delete_over::<storage::buckets::backups::Of>(world, &mut report).await;
        report
    }
}

async fn delete_over<O: Owner>(world: &Arc<World>, report: &mut Report) {
    match over::<O>(world) {
        Ok(found) => {
            for (owner, name) in found {
                report.note(backups::expire(world, &owner, &name).await);
            }
        }
        Err(error) => report.fail(Arc::new(error)),
    }
}

/// Backups whose time is over, of owners on this member.
fn over<O: Owner>(world: &World) -> Result<Vec<(O, String)>> {
    let now = clock::utc();
    world.store.read(|db| {
        let mut over = O::ROWS.all(db)?;
        over.retain(|row| {
            row.made == Made::Ready && row.expires_at.is_some_and(|time| time <= now)
        });
        let mut found = Vec::new();
        for row in over {
            let owner = O::here(db, &world.me(), row.owner_id)?;
            found.extend(owner.map(|owner| (owner, row.name)));
        }
        Ok::<_, Error>(found)
    })
}
