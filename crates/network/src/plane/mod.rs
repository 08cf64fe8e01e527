//! The one thing that acts: netlink, sysctls, nft, and a lease service a network.
//!
//! It works in the network namespace of the thread that made it. One netlink connection stays open,
//! since a port is attached on the way to every start of an instance.

mod act;
mod apply;
mod filters;
mod forwards;
mod limits;
mod look;
mod ports;
mod sysctl;
mod teardown;
mod vlans;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use leases::{Host, Lease, Service};
use rtnetlink::Handle;
use tokio::sync::Mutex as Turn;

pub use apply::Applied;
pub use ports::{Inside, PortSpec};
pub(crate) use vlans::of_bridge;
pub use vlans::{PortVlans, Untagged};

use crate::{Error, Facts, Interface, Result, Warning, netlink};

/// Makes networks real on this machine.
pub struct Plane {
    /// Tells this daemon's things from those of another on the same machine.
    tag: String,
    handle: Handle,
    running: Mutex<HashMap<String, Running>>,
    /// One change of networks at a time; ports do not wait for it.
    turn: Turn<()>,
}

/// What runs for a network.
#[derive(Default)]
struct Running {
    service: Option<Arc<Service>>,
    /// Told before the service runs, or while it does not.
    hosts: Vec<Host>,
    /// What the log was told last.
    warnings: Vec<Warning>,
}

impl Plane {
    /// Opens the connection. Within a tokio runtime. `tag` must be unique on this machine among
    /// running daemons, and stay the same.
    ///
    /// # Errors
    /// There is no netlink.
    pub fn new(tag: impl Into<String>) -> Result<Plane> {
        let handle = netlink::connect().map_err(|source| Error::Netlink {
            action: "open",
            object: "a netlink connection".into(),
            source,
        })?;
        let running = Mutex::default();
        Ok(Plane { tag: tag.into(), handle, running, turn: Turn::new(()) })
    }

    /// What this machine has.
    ///
    /// # Errors
    /// The kernel or nft does not answer.
    pub async fn facts(&self) -> Result<Facts> {
        look::facts(&self.handle).await
    }

    /// A link with its counters and addresses, `None` if it does not exist.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub async fn state(&self, link: &str) -> Result<Option<Interface>> {
        let all = self.interfaces().await?;
        Ok(all.into_iter().find(|interface| interface.name == link))
    }

    /// All links of this machine.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub async fn interfaces(&self) -> Result<Vec<Interface>> {
        let links = netlink::links(&self.handle).await?;
        let addresses = netlink::addresses(&self.handle).await?;
        Ok(crate::interface::assemble(&links, &addresses))
    }

    /// Tells a network which instances are on it; also before it runs.
    pub fn set_hosts(&self, network: &str, hosts: Vec<Host>) {
        let mut running = self.running();
        let entry = running.entry(network.to_owned()).or_default();
        if let Some(service) = &entry.service {
            service.set_hosts(hosts.clone());
        }
        entry.hosts = hosts;
    }

    /// Addresses in use on a network; none if it does not run.
    pub fn leases(&self, network: &str) -> Vec<Lease> {
        let service = self.running().get(network).and_then(|running| running.service.clone());
        service.map(|service| service.leases()).unwrap_or_default()
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
