//! Keeps the kernel's links, addresses and filters as the rows of networks and instances say.

use std::{sync::Arc, time::Duration};

use tasks::{Reconciler, Report};

use crate::{
    Error, World,
    db::{instances::Made, networks as rows},
    networks::{hosts, ports, spec},
    url,
    warnings::{Kind, notes::About},
};

/// What wakes it: a change of networks, which another member may have made.
pub const NETWORKS: &str = "networks";

/// Repairs networks: at start, when rows change, and now and then, as other programs on the
/// machine may flush rules or delete links.
pub struct Networks;

#[async_trait::async_trait]
impl Reconciler<World> for Networks {
    fn name(&self) -> &'static str {
        "networks"
    }

    fn topics(&self) -> &'static [&'static str] {
        &[NETWORKS]
    }

    fn period(&self) -> Duration {
        Duration::from_secs(60)
    }

    async fn activate(&mut self, world: &Arc<World>) -> Report {
        repair(world).await;
        ports::repair(world).await;
        Report::default()
    }
}

/// Applies every network; one that fails is logged and does not hold up the others.
pub(crate) async fn repair(world: &World) {
    let rows = match world.store.read(|db| Ok::<_, Error>(rows::all(db)?)) {
        Ok(rows) => rows,
        Err(error) => return tracing::error!(error = %tasks::chain(&error), "networks"),
    };
    for row in rows.into_iter().filter(|row| row.made == Made::Ready) {
        let _turn = crate::networks::repairing(world, &row.name).await;
        let still = world
            .store
            .read(|db| Ok::<_, Error>(rows::get(db, &row.project, &row.name)?.is_some()));
        if matches!(still, Ok(false)) {
            continue;
        }
        let applied = match spec::of(world, &row) {
            Ok(spec) => world.plane.apply(&spec).await.map(drop).map_err(Error::from),
            Err(error) => Err(error),
        };
        let said = applied.err().map(|error| tasks::chain(&error));
        if let Some(error) = &said {
            tracing::error!(network = row.name, error, "network");
        }
        let address = url::of("networks", &row.name, &row.project);
        world.warnings.set(About::new(Kind::Network, &row.project, address), said);
    }
    if let Err(error) = hosts::tell_all(world) {
        tracing::error!(error = %tasks::chain(&error), "hosts of networks");
    }
}
