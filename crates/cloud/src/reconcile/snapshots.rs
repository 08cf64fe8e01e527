//! Takes the snapshots that the schedules of instances and volumes ask for, and deletes those whose time
//! is over or that no rule keeps.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Local, NaiveDateTime, Utc};
use options::Retention;
use tasks::{Reconciler, Report};

use crate::{
    Error, Result, World,
    db::{
        instance_snapshots as snapshot_rows,
        instances::{self as rows, Instance, Made},
        volume_snapshots as volume_snapshot_rows,
        volumes::{self as volume_rows, Volume},
    },
    expand::Profiles,
    instances::{options::Typed, snapshots},
    volumes::{Key, key_of, snapshots as of_volumes},
};

/// Looks about every minute. What was due while no daemon ran is not made up for.
pub struct Snapshots {
    /// Until when schedules were looked at, local time.
    seen: NaiveDateTime,
}

impl Default for Snapshots {
    fn default() -> Self {
        Self { seen: clock::utc().with_timezone(&Local).naive_local() }
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
        for (owner, name) in expired(world).unwrap_or_else(|error| failed(&mut report, error)) {
            report.note(owner.expire(world, &name).await);
        }
        let now = clock::utc().with_timezone(&Local).naive_local();
        // The clock may have been set back.
        let seen = std::mem::replace(&mut self.seen, now).min(now);
        for owner in due(world, seen, now).unwrap_or_else(|error| failed(&mut report, error)) {
            report.note(owner.take(world).await);
        }
        for (owner, name) in surplus(world).unwrap_or_else(|error| failed(&mut report, error)) {
            report.note(owner.expire(world, &name).await);
        }
        report
    }
}

fn failed<T>(report: &mut Report, error: Error) -> Vec<T> {
    report.fail(Arc::new(error));
    Vec::new()
}

/// What has snapshots.
#[derive(Clone)]
enum Owner {
    Instance { project: String, name: String },
    Volume(Key),
}

impl Owner {
    fn instance(row: &Instance) -> Owner {
        Owner::Instance { project: row.project.clone(), name: row.name.clone() }
    }

    async fn take(&self, world: &World) -> Result<()> {
        match self {
            Owner::Instance { project, name } => {
                snapshots::take_by_clock(world, project, name).await
            }
            Owner::Volume(key) => of_volumes::take_by_clock(world, key).await,
        }
    }

    async fn expire(&self, world: &World, snapshot: &str) -> Result<()> {
        match self {
            Owner::Instance { project, name } => {
                snapshots::expire(world, project, name, snapshot).await
            }
            Owner::Volume(key) => of_volumes::expire(world, key, snapshot).await,
        }
    }
}

fn instances(db: &store::Read<'_>, world: &World) -> Result<Vec<Instance>> {
    let mut own = rows::on(db, &world.me())?;
    own.retain(|row| row.made == Made::Ready);
    Ok(own)
}

/// This member's instances that have an option, with all of theirs.
fn with_option(db: &store::Read<'_>, world: &World, key: &str) -> Result<Vec<(Instance, Typed)>> {
    let profiles = Profiles::read(db)?;
    let all = instances(db, world)?.into_iter().filter_map(|row| {
        let expanded = profiles.lay(&row);
        expanded.config.get(key)?;
        // One whose options cannot be read has errors of its own at its next start.
        Some((row, Typed::parse(&expanded).ok()?))
    });
    Ok(all.collect())
}

fn volumes(db: &store::Read<'_>, world: &World) -> Result<Vec<Volume>> {
    let own = |row: &Volume| row.made == Made::Ready && row.member == world.me();
    Ok(volume_rows::custom(db)?.into_iter().filter(own).collect())
}

/// Snapshots whose time is over, with their owners.
fn expired(world: &World) -> Result<Vec<(Owner, String)>> {
    let now = clock::utc();
    let over = |made: Made, end: Option<DateTime<Utc>>| {
        made == Made::Ready && end.is_some_and(|time| time <= now)
    };
    world.store.read(|db| {
        let mut found = Vec::new();
        let of_instances = snapshot_rows::all(db)?.into_iter();
        let of_instances: Vec<_> =
            of_instances.filter(|row| over(row.made, row.expires_at)).collect();
        if !of_instances.is_empty() {
            let instances = instances(db, world)?;
            let of = |id: i64| instances.iter().find(|row| row.id == id).map(Owner::instance);
            let owned = of_instances.into_iter();
            found.extend(owned.filter_map(|row| Some((of(row.instance_id)?, row.name))));
        }
        let of_volumes = volume_snapshot_rows::all(db)?.into_iter();
        let of_volumes: Vec<_> = of_volumes.filter(|row| over(row.made, row.expires_at)).collect();
        if !of_volumes.is_empty() {
            let volumes = volumes(db, world)?;
            let of = |id: i64| volumes.iter().find(|row| row.id == id).map(key_of);
            let owned = of_volumes.into_iter();
            found.extend(
                owned.filter_map(|row| Some((Owner::Volume(of(row.volume_id)?), row.name))),
            );
        }
        Ok(found)
    })
}

/// Snapshots of schedules that no rule of their owners keeps.
fn surplus(world: &World) -> Result<Vec<(Owner, String)>> {
    world.store.read(|db| {
        let mut found = Vec::new();
        for (row, typed) in with_option(db, world, "snapshots.retention")? {
            let Some(rules) = typed.options.snapshots.retention else { continue };
            let all = snapshot_rows::of_instance(db, row.id)?.into_iter();
            let of_schedule = all.filter(|row| row.scheduled && row.made == Made::Ready);
            let over = not_kept(&rules, of_schedule.map(|row| (row.name, row.created_at)));
            found.extend(over.map(|name| (Owner::instance(&row), name)));
        }
        for row in volumes(db, world)? {
            let Ok(options) = crate::volumes::typed(&row.config) else { continue };
            let Some(rules) = options.snapshots_retention else { continue };
            let all = volume_snapshot_rows::of_volume(db, row.id)?.into_iter();
            let of_schedule = all.filter(|row| row.scheduled && row.made == Made::Ready);
            let over = not_kept(&rules, of_schedule.map(|row| (row.name, row.created_at)));
            found.extend(over.map(|name| (Owner::Volume(key_of(&row)), name)));
        }
        Ok(found)
    })
}

/// The names of those that the rules do not keep.
fn not_kept(
    rules: &Retention,
    snapshots: impl Iterator<Item = (String, DateTime<Utc>)>,
) -> impl Iterator<Item = String> {
    let local = |time: DateTime<Utc>| time.with_timezone(&Local).naive_local();
    let (names, moments): (Vec<_>, Vec<_>) =
        snapshots.map(|(name, time)| (name, local(time))).unzip();
    let kept = rules.kept(&moments);
    let over = move |(place, name)| (!kept.contains(&place)).then_some(name);
    names.into_iter().enumerate().filter_map(over)
}

/// Owners whose schedules say a moment after `seen`.
fn due(world: &World, seen: NaiveDateTime, now: NaiveDateTime) -> Result<Vec<Owner>> {
    world.store.read(|db| {
        let mut due = Vec::new();
        for (row, typed) in with_option(db, world, "snapshots.schedule")? {
            let options = &typed.options.snapshots;
            let runs = world.guests.get(&row.project, &row.name).is_some();
            let wanted = options.schedule.as_ref().is_some_and(|cron| cron.is_due(seen, now));
            if wanted && (runs || options.schedule_stopped) {
                due.push(Owner::instance(&row));
            }
        }
        for row in volumes(db, world)? {
            let Ok(options) = crate::volumes::typed(&row.config) else { continue };
            if options.snapshots_schedule.is_some_and(|cron| cron.is_due(seen, now)) {
                due.push(Owner::Volume(key_of(&row)));
            }
        }
        Ok(due)
    })
}
