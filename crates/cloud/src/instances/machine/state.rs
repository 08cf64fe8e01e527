//! What can be told of a machine that runs. Its agent knows what it uses and which addresses it has; without
//! one there is what can be seen from outside: the addresses that DHCP gave it, what went over its cards.

use std::{collections::BTreeMap, net::IpAddr};

use wire::{InstanceStateNetwork, InstanceStateNetworkAddress};

use super::super::{guests::Guest, options::Typed};
use crate::{
    Error, Result, World,
    db::instances as rows,
    expand, names,
    networks::{port::Port, ports},
};

/// What its agent says; `None` without one, or if it does not answer.
pub(crate) async fn inside(guest: &Guest) -> Option<agent::State> {
    let agent = guest.agent()?;
    match agent.state().await {
        Ok(state) => Some(state),
        Err(error) => {
            tracing::debug!(name = guest.name(), %error, "state of the guest");
            None
        }
    }
}

/// The interfaces of a machine: those of `inside` with what only the host knows of them, or its cards by the
/// names they would have in a container.
pub(crate) async fn interfaces(
    world: &World,
    guest: &Guest,
    inside: Option<&agent::State>,
) -> Result<BTreeMap<String, InstanceStateNetwork>> {
    let (project, name) = (guest.project(), guest.name());
    let expanded = world.store.read(|db| {
        let row = rows::get(db, project, name)?;
        row.map(|row| expand::expand(db, &row)).transpose()
    });
    let Some(expanded) = expanded? else { return Ok(BTreeMap::new()) };
    let typed = Typed::parse(&expanded)?;
    let id = names::instance_id(project, name);
    let mut shown = inside.map(|state| state.network.clone()).unwrap_or_default();
    for port in Port::all(&world.tag, &id, &typed.devices, &expanded.config)?.values() {
        let hwaddr = port.hwaddr().to_string();
        if let Some(known) = shown.values_mut().find(|known| known.hwaddr == hwaddr) {
            port.host_name().clone_into(&mut known.host_name);
            continue;
        }
        if inside.is_some() {
            continue;
        }
        let counters = world.plane.port_counters(port.host_name()).await?;
        let network = InstanceStateNetwork {
            addresses: addresses(world, port),
            counters: counters.as_ref().map(ports::counted).unwrap_or_default(),
            hwaddr,
            host_name: port.host_name().to_owned(),
            state: String::from("up"),
            r#type: String::from("broadcast"),
            ..InstanceStateNetwork::default()
        };
        shown.insert(port.name().to_owned(), network);
    }
    Ok::<_, Error>(shown)
}

fn addresses(world: &World, port: &Port<'_>) -> Vec<InstanceStateNetworkAddress> {
    let leases = port.bridge().map(|bridge| world.plane.leases(bridge)).unwrap_or_default();
    let own = leases.into_iter().filter(|lease| lease.hwaddr == Some(port.hwaddr()));
    let address = |address: IpAddr| InstanceStateNetworkAddress {
        family: String::from(if address.is_ipv4() { "inet" } else { "inet6" }),
        address: address.to_string(),
        netmask: String::new(),
        scope: String::from("global"),
    };
    own.map(|lease| address(lease.address)).collect()
}
