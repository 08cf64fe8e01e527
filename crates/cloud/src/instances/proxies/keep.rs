//! Starts proxies again that ended by themselves: killed, or never begun as a daemon died.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tasks::{Reconciler, Report};

use crate::{Error, World, instances::guests::Phase, names};

/// How long one may be gone before that is seen.
const LOOK: Duration = Duration::from_secs(15);

/// Keeps proxies running as long as their instances do.
#[derive(Default)]
pub struct Proxies {
    /// What was said last of an instance's that fail, so that the log has it once.
    told: BTreeMap<String, String>,
}

#[async_trait::async_trait]
impl Reconciler<World> for Proxies {
    fn name(&self) -> &'static str {
        "proxies"
    }

    fn topics(&self) -> &'static [&'static str] {
        &[]
    }

    fn period(&self) -> Duration {
        LOOK
    }

    async fn activate(&mut self, world: &Arc<World>) -> Report {
        let mut told = BTreeMap::new();
        for guest in world.guests.all() {
            let wanted = guest.proxies().clone();
            if wanted.is_empty() || !matches!(guest.phase(), Phase::Running | Phase::Frozen) {
                continue;
            }
            // Whoever gives it other devices meanwhile settles them, too.
            let Ok(_turn) = guest.ports().try_lock() else { continue };
            let id = names::instance_id(guest.project(), guest.name());
            match super::processes(world, &id, wanted).await {
                Ok(()) | Err(Error::Runtime(runtime::Error::Gone)) => {}
                Err(error) => {
                    let error = tasks::chain(&error);
                    if self.told.get(&id) != Some(&error) {
                        tracing::warn!(instance = id, error, "proxies");
                    }
                    told.insert(id, error);
                }
            }
        }
        self.told = told;
        Report::default()
    }
}
