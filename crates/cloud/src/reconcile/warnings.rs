//! Keeps the warnings of this member as what is wrong here is.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tasks::{Reconciler, Report};

use super::STATE;
use crate::{
    Error, Result, World,
    db::{instances, networks, pools, warnings as rows},
    instances::guests::Phase,
    names::DEFAULT_PROJECT,
    url,
    warnings::{
        causes,
        diff::{Change, Seen, diff},
        notes::About,
    },
};

/// What wakes it besides changes of the state: somebody noted trouble.
pub const NOTED: &str = "noted";
/// Changes come in bursts: this long it waits for the rest.
const BURST: Duration = Duration::from_secs(1);

/// Writes down what is wrong here, and what is no more.
#[derive(Default)]
pub struct Warnings {
    /// What was told of at the last activation.
    told: BTreeSet<About>,
}

#[async_trait::async_trait]
impl Reconciler<World> for Warnings {
    fn name(&self) -> &'static str {
        "warnings"
    }

    fn topics(&self) -> &'static [&'static str] {
        &[STATE, NOTED]
    }

    fn period(&self) -> Duration {
        Duration::from_secs(60)
    }

    async fn activate(&mut self, world: &Arc<World>) -> Report {
        tokio::time::sleep(BURST).await;
        let mut report = Report::default();
        match self.write(world).await {
            Ok(changed) => report.changed = changed,
            Err(error) => report.fail(Arc::new(error)),
        }
        report
    }
}

impl Warnings {
    async fn write(&mut self, world: &World) -> Result<usize> {
        let mut troubles = causes::now(world);
        let (known, things) =
            world.store.read(|db| Ok::<_, Error>((rows::all(db)?, Things::read(db)?)))?;
        let runs = |row: &instances::Instance| {
            let guest = world.guests.get(&row.project, &row.name);
            guest.is_some_and(|guest| matches!(guest.phase(), Phase::Running | Phase::Frozen))
        };
        let address = |row: &instances::Instance| url::instance(&row.project, &row.name);
        let instances: BTreeMap<String, bool> =
            things.instances.iter().map(|row| (address(row), runs(row))).collect();
        troubles.retain(|about, _| {
            let there =
                things.others.contains(&about.entity) || instances.contains_key(&about.entity);
            let runs = instances.get(&about.entity) == Some(&true);
            let over = !about.entity.is_empty() && (!there || runs);
            if over {
                world.warnings.set(about.clone(), None);
            }
            !over
        });
        let me = world.me();
        let seen = Seen { member: &me, told: &self.told, instances: &instances, now: clock::utc() };
        let changes = |known: &[rows::Warning]| {
            diff(known, &troubles, &seen, || uuid::Uuid::new_v4().to_string())
        };
        let mut changed = 0;
        if !changes(&known).is_empty() {
            // Somebody may have acknowledged one meanwhile.
            let written = world.store.write(|db| {
                let changes = changes(&rows::all(db)?);
                for change in &changes {
                    match change {
                        Change::Put(new) => rows::put(db, new)?,
                        Change::Delete(uuid) => rows::delete(db, uuid)?,
                    }
                }
                Ok::<_, Error>(changes.len())
            });
            changed = written.await?;
        }
        self.told = troubles.into_keys().collect();
        Ok(changed)
    }
}

/// What trouble may be about. One that is gone has none.
struct Things {
    instances: Vec<instances::Instance>,
    /// Addresses of pools and networks.
    others: BTreeSet<String>,
}

impl Things {
    fn read(db: &store::Read<'_>) -> Result<Things> {
        let pools = pools::all(db)?.into_iter();
        let pools = pools.map(|row| url::of("storage-pools", &row.name, DEFAULT_PROJECT));
        let networks = networks::all(db)?.into_iter();
        let networks = networks.map(|row| url::of("networks", &row.name, &row.project));
        Ok(Things { instances: instances::all(db)?, others: pools.chain(networks).collect() })
    }
}
