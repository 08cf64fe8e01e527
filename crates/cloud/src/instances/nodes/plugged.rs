//! Follows what is plugged into the server and pulled out of it, while containers run that want some of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use runtime::Monitor;
use tasks::{Reconciler, Report};

use super::{Need, comes_and_goes, settle};
use crate::{Error, World, blocking::blocking, instances::guests::Phase, names};

/// What wakes it: a device came or went.
pub const NODES: &str = "devices of the server";
/// For what nobody tells of: a node or a link that a program made.
const LOOK: Duration = Duration::from_secs(2);

/// Keeps the nodes of containers as those of the server are.
#[derive(Default)]
pub struct Nodes {
    /// What was said last of a container's that fail, so that the log has it once.
    told: BTreeMap<String, String>,
}

#[async_trait::async_trait]
impl Reconciler<World> for Nodes {
    fn name(&self) -> &'static str {
        "devices of containers"
    }

    fn topics(&self) -> &'static [&'static str] {
        &[NODES]
    }

    fn period(&self) -> Duration {
        LOOK
    }

    async fn activate(&mut self, world: &Arc<World>) -> Report {
        let mut report = Report::default();
        let mut told = BTreeMap::new();
        for guest in world.guests.all() {
            let wanted = guest.nodes().clone();
            let moving = wanted.iter().filter(|(_, device)| comes_and_goes(device));
            let moving: BTreeSet<String> = moving.map(|(name, _)| name.clone()).collect();
            if moving.is_empty() || !matches!(guest.phase(), Phase::Running | Phase::Frozen) {
                continue;
            }
            // Whoever gives it other devices meanwhile looks, too.
            let Ok(_turn) = guest.ports().try_lock() else { continue };
            let id = names::instance_id(guest.project(), guest.name());
            let run = world.dirs.run(&id);
            let settled = async {
                let find = move || Monitor::connect(&run);
                match blocking("find monitor", find).await? {
                    Some(monitor) => {
                        settle(world, Arc::new(monitor), (wanted, moving), Need::Nothing).await
                    }
                    None => Ok(0),
                }
            };
            match settled.await {
                Ok(changed) => report.changed += changed,
                Err(Error::Runtime(runtime::Error::Gone)) => {}
                Err(error) => {
                    let error = tasks::chain(&error);
                    if self.told.get(&id) != Some(&error) {
                        tracing::warn!(instance = id, error, "devices");
                    }
                    told.insert(id, error);
                }
            }
        }
        self.told = told;
        report
    }
}
