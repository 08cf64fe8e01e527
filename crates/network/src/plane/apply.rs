//! Makes a network be as it should; creation and repair are the same.

use std::sync::Arc;

use ipnet::{Ipv4Net, Ipv6Net};
use leases::{MacAddr, Service, ServiceConfig};

use super::{Plane, act, look, sysctl};
use crate::{
    Change, Desired, Error, Facts, Kind, NetworkSpec, Observed, Result, Warning, bridge, diff,
    driver, pick,
};

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// The bridge's IPv4 address, picked if it was `auto`: to be kept in the configuration.
    pub ipv4: Option<Ipv4Net>,
    /// The same for IPv6.
    pub ipv6: Option<Ipv6Net>,
    /// The bridge's hardware address.
    pub hwaddr: MacAddr,
    /// What was done; nothing when all was well.
    pub changes: Vec<Change>,
    /// What the operator should know.
    pub warnings: Vec<Warning>,
}

impl Plane {
    /// Makes the network exist as specified, and its servers run.
    ///
    /// # Errors
    /// The link belongs to somebody else, the kernel refuses something, or a port is taken. What was
    /// done until then stays, and the next call goes on from there.
    pub async fn apply(&self, spec: &NetworkSpec) -> Result<Applied> {
        let _turn = self.turn.lock().await;
        let facts = look::facts(&self.handle).await?;
        let spec = resolved(spec, &facts)?;
        let mut desired = driver(&spec.kind).plan(&self.tag, &spec, &facts)?;
        let observed = Observed::of(&desired, &facts, sysctl::read_all(&desired.sysctls));
        let changes = diff(&desired, &observed)?;
        act::act(&self.handle, &spec.name, &desired, &changes).await?;
        let index = act::index(&self.handle, &desired.link.name).await?;
        let service = ServiceConfig { index, ..desired.service.clone() };
        let nameless = self.serve(&spec.name, service).await?;
        desired.warnings.extend(nameless.map(|why| Warning::Nameless { why }));
        self.warn(&spec.name, &desired.warnings);
        Ok(applied(desired, changes))
    }

    /// Compares without changing anything.
    ///
    /// # Errors
    /// The link belongs to somebody else, or the machine cannot be looked at.
    pub async fn observe(&self, spec: &NetworkSpec) -> Result<(Desired, Observed, Vec<Change>)> {
        let facts = look::facts(&self.handle).await?;
        let spec = resolved(spec, &facts)?;
        let desired = driver(&spec.kind).plan(&self.tag, &spec, &facts)?;
        let observed = Observed::of(&desired, &facts, sysctl::read_all(&desired.sysctls));
        let changes = diff(&desired, &observed)?;
        Ok((desired, observed, changes))
    }

    /// Repairs come every minute; the log hears of a warning when it is new.
    fn warn(&self, network: &str, warnings: &[Warning]) {
        let mut running = self.running();
        let told = &mut running.entry(network.to_owned()).or_default().warnings;
        for warning in warnings.iter().filter(|warning| !told.contains(warning)) {
            tracing::warn!(network, "{warning}");
        }
        *told = warnings.to_vec();
    }

    /// Starts or updates the servers; why names are not served, if they are not.
    async fn serve(&self, network: &str, config: ServiceConfig) -> Result<Option<String>> {
        let failed = |source| Error::Service { network: network.to_owned(), source };
        let running = self.running().get(network).and_then(|running| running.service.clone());
        if let Some(service) = running {
            service.update(config).await.map_err(failed)?;
            return Ok(service.nameless().await);
        }
        let service = Arc::new(Service::start(config).map_err(failed)?);
        {
            let mut running = self.running();
            let entry = running.entry(network.to_owned()).or_default();
            service.set_hosts(entry.hosts.clone());
            entry.service = Some(service.clone());
        }
        Ok(service.nameless().await)
    }
}

fn resolved(spec: &NetworkSpec, facts: &Facts) -> Result<NetworkSpec> {
    let Kind::Bridge(bridge) = &spec.kind;
    let bridge = bridge::resolve(spec, bridge, facts, pick::random)?;
    Ok(NetworkSpec { kind: Kind::Bridge(bridge), ..spec.clone() })
}

fn applied(desired: Desired, changes: Vec<Change>) -> Applied {
    Applied {
        ipv4: desired.service.ipv4.map(|v4| v4.address),
        ipv6: desired.service.ipv6.map(|v6| v6.address),
        hwaddr: desired.link.hwaddr,
        changes,
        warnings: desired.warnings,
    }
}
