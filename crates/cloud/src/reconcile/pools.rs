//! Keeps storage pools open: those whose source is not there are looked for, and serve again when it is.

use std::{sync::Arc, time::Duration};

use tasks::{Reconciler, Report};

use crate::{
    Error, World,
    db::{instances::Made, pools as rows},
};

/// Looks after the pools: at start, and every minute, as a disk may be plugged in or pulled.
pub struct Pools;

#[async_trait::async_trait]
impl Reconciler<World> for Pools {
    fn name(&self) -> &'static str {
        "storage pools"
    }

    fn topics(&self) -> &'static [&'static str] {
        &[]
    }

    fn period(&self) -> Duration {
        Duration::from_secs(60)
    }

    async fn activate(&mut self, world: &Arc<World>) -> Report {
        let mut report = Report::default();
        let rows = match world.store.read(|db| Ok::<_, Error>(rows::all(db)?)) {
            Ok(rows) => rows,
            Err(error) => {
                report.fail(Arc::new(error));
                return report;
            }
        };
        for row in rows.into_iter().filter(|row| row.made == Made::Ready) {
            let was_gone = world.pools.is_gone(&row.name);
            match world.pools.check(world, &row).await {
                Ok(()) if was_gone => {
                    tracing::info!(pool = row.name, "storage pool is there again");
                    report.changed += 1;
                }
                Ok(()) => {}
                Err(error) => report.fail(Arc::new(error)),
            }
        }
        // Before tasks go on that need what is kept there.
        report.note(crate::depots::look(world).await);
        if report.changed > 0
            && let Err(error) = world.retry_stuck().await
        {
            report.fail(Arc::new(error));
        }
        // A pool may also have been opened by whoever wanted to use it.
        if report.changed > 0 || world.pools.none_gone() {
            super::instances::start_waiting(world).await;
        }
        report
    }
}
