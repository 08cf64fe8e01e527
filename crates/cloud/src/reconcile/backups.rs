//! Deletes the backups of instances whose time is over.

use std::{sync::Arc, time::Duration};

use chrono::Utc;
use tasks::{Reconciler, Report};

use crate::{
    Error, Result, World,
    db::{
        instance_backups as rows,
        instances::{self, Made},
    },
    instances::backups,
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
        match over(world) {
            Ok(found) => {
                for (project, instance, name) in found {
                    report.note(backups::expire(world, &project, &instance, &name).await);
                }
            }
            Err(error) => report.fail(Arc::new(error)),
        }
        report
    }
}

/// Backups whose time is over: project, instance, name.
fn over(world: &World) -> Result<Vec<(String, String, String)>> {
    let now = Utc::now();
    world.store.read(|db| {
        let all = rows::all(db)?.into_iter().filter(|row| row.made == Made::Ready);
        let over: Vec<_> =
            all.filter(|row| row.expires_at.is_some_and(|time| time <= now)).collect();
        if over.is_empty() {
            return Ok(Vec::new());
        }
        let here = |row: &instances::Instance| row.made == Made::Ready && row.member == world.me;
        let all: Vec<_> = instances::all(db)?.into_iter().filter(here).collect();
        let named = |row: rows::Backup| {
            let instance = all.iter().find(|instance| instance.id == row.instance_id)?;
            Some((instance.project.clone(), instance.name.clone(), row.name))
        };
        Ok::<_, Error>(over.into_iter().filter_map(named).collect())
    })
}
