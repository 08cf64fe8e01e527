//! What another member deleted goes here, too: the files and volumes of images, the links of networks.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tasks::{Reconciler, Report};

use super::STATE;
use crate::{
    Error, Result, World,
    db::{images, networks},
    networks::spec,
};

/// Removes what belongs to rows that were there and are no more. What went while this daemon was off is found at its
/// start (`images::clean`).
#[derive(Default)]
pub struct Gone {
    images: BTreeSet<String>,
    networks: BTreeMap<String, networks::Network>,
}

#[async_trait::async_trait]
impl Reconciler<World> for Gone {
    fn name(&self) -> &'static str {
        "what other members deleted"
    }

    fn topics(&self) -> &'static [&'static str] {
        &[STATE]
    }

    fn period(&self) -> Duration {
        Duration::from_secs(60 * 60)
    }

    async fn activate(&mut self, world: &Arc<World>) -> Report {
        let mut report = Report::default();
        if !world.is_clustered() {
            return report;
        }
        let now = world.store.read(|db| {
            let images = images::all(db)?.into_iter().map(|row| row.fingerprint);
            let networks = networks::all(db)?.into_iter().map(|row| (row.name.clone(), row));
            Ok::<_, Error>((images.collect::<BTreeSet<_>>(), networks.collect::<BTreeMap<_, _>>()))
        });
        let (images, networks) = match now {
            Ok(now) => now,
            Err(error) => {
                report.fail(Arc::new(error));
                return report;
            }
        };
        for fingerprint in self.images.difference(&images) {
            report.note(crate::images::drop_all(world, fingerprint).await);
        }
        for (name, row) in &self.networks {
            if !networks.contains_key(name) {
                report.note(teardown(world, row).await);
            }
        }
        (self.images, self.networks) = (images, networks);
        report
    }
}

/// Takes a network's link away, and its leases; one that is gone is gone.
pub(crate) async fn teardown(world: &World, row: &networks::Network) -> Result<()> {
    let _turn = crate::networks::repairing(world, &row.name).await;
    world.plane.teardown(&spec::of(world, row)?).await?;
    crate::networks::remove_folder(world, &row.name).await
}
