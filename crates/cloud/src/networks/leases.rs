//! Who has which address on a network.

use network::LeaseKind;
use wire::NetworkLease;

use crate::{Error, Result, World, db::instances as instance_rows};

/// The leases of a network, the bridge's own addresses among them.
pub async fn leases(world: &World, project: &str, name: &str) -> Result<Vec<NetworkLease>> {
    let (row, instances) = world.store.read(|db| {
        let row = super::find(db, project, name)?;
        Ok::<_, Error>((row, instance_rows::all(db)?))
    })?;
    let owner = |hwaddr: &str| {
        let own = |row: &&instance_rows::Instance| {
            row.config.iter().any(|(key, value)| key.ends_with(".hwaddr") && value == hwaddr)
        };
        instances.iter().find(own).map(|row| row.project.clone()).unwrap_or_default()
    };
    let location = world.location();
    let leases = world.plane.leases(&row.name);
    Ok(leases
        .into_iter()
        .map(|lease| {
            let hwaddr = lease.hwaddr.map(|mac| mac.to_string()).unwrap_or_default();
            NetworkLease {
                project: owner(&hwaddr),
                hostname: lease.hostname,
                hwaddr,
                address: lease.address.to_string(),
                r#type: String::from(match lease.kind {
                    LeaseKind::Gateway => "gateway",
                    LeaseKind::Static => "static",
                    LeaseKind::Dynamic => "dynamic",
                }),
                location: location.clone(),
            }
        })
        .collect())
}
