//! Puts into the rows which instances were started and stopped while no majority was there.

use std::{sync::Arc, time::Duration};

use tasks::{Reconciler, Report};

use crate::{
    Caller, Error, Result, World,
    instances::power::{self, Note},
};

/// What wakes it: something was noted beside the database.
pub const POWERS: &str = "powers";
/// Between two looks for a majority, while something waits for it.
const LOOK: Duration = Duration::from_secs(1);

/// Looks for a majority as long as something waits for it; otherwise it sleeps.
pub struct Powers;

#[async_trait::async_trait]
impl Reconciler<World> for Powers {
    fn name(&self) -> &'static str {
        "starts and stops without a majority"
    }

    fn topics(&self) -> &'static [&'static str] {
        &[POWERS]
    }

    fn period(&self) -> Duration {
        Duration::from_secs(60 * 60)
    }

    async fn activate(&mut self, world: &Arc<World>) -> Report {
        let mut report = Report::default();
        let notes = world.powers.all();
        if !notes.is_empty() && !world.has_majority() {
            report.again = Some(LOOK);
            return report;
        }
        for (id, note) in notes {
            report.note(bring_in(world, id, &note).await);
        }
        report
    }
}

async fn bring_in(world: &Arc<World>, id: i64, note: &Note) -> Result<()> {
    let Some(row) = power::bring_in(world, id, note).await? else { return Ok(()) };
    let (project, name) = (&row.project, &row.name);
    match crate::instances::delete::delete(world, &Caller::default(), project, name).await {
        // It was started again.
        Err(Error::State { .. }) => Ok(()),
        done => done.map(drop),
    }
}
