//! Removes a network; what is gone already is fine, and a failure does not stop the rest.

use super::{Plane, act, look};
use crate::{
    Error, Facts, Family, Link, NetworkSpec, ObservedLink, Result, bridge, diff, driver, netlink,
};

impl Plane {
    /// Ends the servers and removes link, rules and routes. Instances' ports stay as links without a
    /// bridge; the leases stay in the state folder. Kernel settings stay, since others rely on them.
    ///
    /// # Errors
    /// All that could not be removed, together.
    pub async fn teardown(&self, spec: &NetworkSpec) -> Result<()> {
        let _turn = self.turn.lock().await;
        self.end_service(&spec.name).await;
        let facts = look::facts(&self.handle).await?;
        let identity = driver(&spec.kind).identity(&self.tag, spec, &facts);
        let steps = [
            self.remove_link(&identity.link, &facts).await,
            remove_docker(spec, &identity.table, &facts).await,
            remove_table(spec, &identity.table).await,
        ];
        let errors: Vec<Error> = steps.into_iter().filter_map(Result::err).collect();
        if errors.is_empty() {
            return Ok(());
        }
        Err(Error::Teardown { network: spec.name.clone(), errors })
    }

    /// Ends all servers and leaves the networks as they are: the daemon goes, instances live on.
    pub async fn stop(&self) {
        let names: Vec<String> = self.running().keys().cloned().collect();
        for name in names {
            self.end_service(&name).await;
        }
    }

    async fn end_service(&self, network: &str) {
        let service = self.running().remove(network).and_then(|running| running.service);
        if let Some(service) = service {
            service.stop().await;
        }
    }

    async fn remove_link(&self, link: &Link, facts: &Facts) -> Result<()> {
        match facts.link(&link.name).map(ObservedLink::from) {
            Some(there) if diff::foreign(link, &there).is_none() => {
                netlink::delete_link(&self.handle, &link.name).await
            }
            _ => Ok(()),
        }
    }
}

async fn remove_docker(spec: &NetworkSpec, comment: &str, facts: &Facts) -> Result<()> {
    let ours = facts.firewall.foreign.iter().filter(|rule| rule.comment == comment);
    for family in [Family::Ip, Family::Ip6] {
        let old: Vec<_> = ours.clone().filter(|rule| rule.family == family).cloned().collect();
        if !old.is_empty() {
            let rules = bridge::docker_rules(family, &old, comment, None);
            act::nft(&spec.name, rules).await?;
        }
    }
    Ok(())
}

async fn remove_table(spec: &NetworkSpec, name: &str) -> Result<()> {
    let name = name.to_owned();
    let done = act::blocking(move || exec::nft::remove_table(exec::nft::Family::Inet, &name)).await;
    done.map_err(|source| Error::Firewall { network: spec.name.clone(), source })
}
