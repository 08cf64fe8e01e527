//! Takes the snapshots that instances' schedules ask for, and deletes those whose time is over.

use std::{sync::Arc, time::Duration};

use chrono::{Local, NaiveDateTime, Utc};
use tasks::{Reconciler, Report};

use crate::{
    Error, Result, World,
    db::{
        instance_snapshots as snapshot_rows,
        instances::{self as rows, Instance, Made},
    },
    expand,
    instances::{options::Typed, snapshots},
};

/// Looks about every minute. What was due while no daemon ran is not made up for.
pub struct Snapshots {
    /// Until when schedules were looked at, local time.
    seen: NaiveDateTime,
}

impl Default for Snapshots {
    fn default() -> Self {
        Self { seen: Local::now().naive_local() }
    }
}

impl Snapshots {
    /// One that looked last at that moment.
    #[cfg(test)]
    pub(crate) fn since(seen: NaiveDateTime) -> Self {
        Self { seen }
    }
}

#[async_trait::async_trait]
impl Reconciler<World> for Snapshots {
    fn name(&self) -> &'static str {
        "snapshots"
    }

    fn topics(&self) -> &'static [&'static str] {
        &[]
    }

    fn period(&self) -> Duration {
        Duration::from_secs(60)
    }

    async fn activate(&mut self, world: &Arc<World>) -> Report {
        let mut report = Report::default();
        for (row, name) in expired(world).unwrap_or_else(|error| failed(&mut report, error)) {
            let deleted = snapshots::expire(world, &row.project, &row.name, &name).await;
            report.note(deleted);
        }
        let now = Local::now().naive_local();
        // The clock may have been set back.
        let seen = std::mem::replace(&mut self.seen, now).min(now);
        for row in due(world, seen, now).unwrap_or_else(|error| failed(&mut report, error)) {
            report.note(snapshots::take_by_clock(world, &row.project, &row.name).await);
        }
        report
    }
}

fn failed<T>(report: &mut Report, error: Error) -> Vec<T> {
    report.fail(Arc::new(error));
    Vec::new()
}

fn instances(db: &store::Read<'_>, world: &World) -> Result<Vec<Instance>> {
    let own = |row: &Instance| row.made == Made::Ready && row.member == world.me;
    Ok(rows::all(db)?.into_iter().filter(own).collect())
}

/// Snapshots whose time is over, with their instances.
fn expired(world: &World) -> Result<Vec<(Instance, String)>> {
    let now = Utc::now();
    world.store.read(|db| {
        let all = snapshot_rows::all(db)?.into_iter();
        let over = |row: &snapshot_rows::Snapshot| row.expires_at.is_some_and(|time| time <= now);
        let over: Vec<_> = all.filter(|row| row.made == Made::Ready && over(row)).collect();
        if over.is_empty() {
            return Ok(Vec::new());
        }
        let instances = instances(db, world)?;
        let of = |id: i64| instances.iter().find(|row| row.id == id).cloned();
        Ok(over.into_iter().filter_map(|row| Some((of(row.instance_id)?, row.name))).collect())
    })
}

/// Instances whose schedules say a moment after `seen`.
fn due(world: &World, seen: NaiveDateTime, now: NaiveDateTime) -> Result<Vec<Instance>> {
    world.store.read(|db| {
        let mut due = Vec::new();
        for row in instances(db, world)? {
            // One whose options cannot be read has errors of its own at its next start.
            let Ok(typed) = Typed::parse(&expand::expand(db, &row)?) else { continue };
            let options = &typed.options.snapshots;
            let runs = world.guests.get(&row.project, &row.name).is_some();
            let wanted = options.schedule.as_ref().is_some_and(|cron| cron.is_due(seen, now));
            if wanted && (runs || options.schedule_stopped) {
                due.push(row);
            }
        }
        Ok(due)
    })
}
