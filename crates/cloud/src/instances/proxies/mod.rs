//! Proxies of instances: what comes in at one side of their wall and goes out at the other.
//!
//! ```text
//! plan.rs  options -> a process of its own (`runtime::spawn_proxy`), or rules of the kernel (`network::Forward`)
//! keep.rs  starts again what ended by itself
//!
//! start, another device, a new daemon, now and then ──> those that run and differ end, what is missing starts
//! ```
//! What runs is asked, not remembered. A process ends by itself with the instance; its socket in the run folder, and
//! rules, go with what else the instance leaves.

mod keep;
mod plan;

use std::collections::BTreeMap;

use network::Forward;
use runtime::Monitor;
use spec::{InstanceSpec, ProxySpec};

pub use self::keep::Proxies;
pub(crate) use self::plan::{check, has_rules};
use super::{guests::Guest, options::Typed};
use crate::{Error, Result, World, blocking::blocking, names};

/// What proxies of an instance are made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Wanted {
    /// By their devices.
    pub(crate) processes: BTreeMap<String, ProxySpec>,
    pub(crate) rules: Vec<Forward>,
}

impl Wanted {
    /// Those of an instance; of which start of it, is said later.
    pub(crate) fn of(typed: &Typed) -> Result<Wanted> {
        plan::plan(typed)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.processes.is_empty() && self.rules.is_empty()
    }
}

/// Gives an instance that has just started its proxies.
pub(crate) async fn begin(world: &World, guest: &Guest, typed: &Typed) -> Result<()> {
    let wanted = Wanted::of(typed)?;
    if wanted.is_empty() {
        return Ok(());
    }
    let id = names::instance_id(guest.project(), guest.name());
    processes(world, &id, wanted.processes.clone()).await?;
    if !wanted.rules.is_empty() {
        rules(world, &id, &wanted.rules).await?;
    }
    *guest.proxies() = wanted.processes;
    Ok(())
}

/// Notes what an instance has that a daemon before this one started.
pub(crate) fn note(guest: &Guest, typed: &Typed) {
    match Wanted::of(typed) {
        Ok(wanted) => *guest.proxies() = wanted.processes,
        Err(error) => {
            tracing::warn!(name = guest.name(), error = %tasks::chain(&error), "proxies");
        }
    }
}

/// Puts the rules in place of those that were.
pub(crate) async fn rules(world: &World, id: &str, rules: &[Forward]) -> Result<()> {
    match rules {
        [] => Ok(world.plane.unforward(id).await?),
        rules => Ok(world.plane.forward(id, rules).await?),
    }
}

/// Ends those that are not wanted, or are something else than they are to be; starts those that are not there.
pub(crate) async fn processes(
    world: &World,
    id: &str,
    wanted: BTreeMap<String, ProxySpec>,
) -> Result<()> {
    let (run, binary) = (world.dirs.run(id), world.binary.clone());
    blocking("settle proxies", move || {
        let running = runtime::proxies(&run)?;
        if running.is_empty() && wanted.is_empty() {
            return Ok(());
        }
        let Some(monitor) = Monitor::connect(&run)? else { return Ok(()) };
        let generation = monitor.info()?.generation;
        let of_now = |proxy: &ProxySpec| ProxySpec { generation, ..proxy.clone() };
        let mut missing: BTreeMap<&String, ProxySpec> =
            wanted.iter().map(|(device, proxy)| (device, of_now(proxy))).collect();
        for device in &running {
            let is = runtime::running_proxy(&run, device)?;
            if is.is_some() && missing.get(device) == is.as_ref() {
                missing.remove(device);
            } else {
                runtime::end_proxy(&run, device)?;
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let file = run.join("spec.json");
        let text = std::fs::read(&file).map_err(Error::file("read", &file))?;
        let instance: InstanceSpec = serde_json::from_slice(&text)
            .map_err(|error| Error::file("read", &file)(std::io::Error::other(error)))?;
        for (device, proxy) in missing {
            let spawned = runtime::spawn_proxy(&binary, &instance, &monitor, &proxy);
            spawned.map_err(|source| Error::Device {
                device: device.clone(),
                verb: "added",
                source: Box::new(source.into()),
            })?;
        }
        Ok::<_, Error>(())
    })
    .await
}
