//! The network devices of an instance: pairs of links, one end inside.

use std::{
    collections::BTreeMap,
    os::fd::{AsFd, OwnedFd},
};

use network::{Address, Counters, Interface};
use options::{Raw, device::Device};
use wire::{InstanceStateNetwork, InstanceStateNetworkAddress, InstanceStateNetworkCounters};

use super::port::{self, Port};
use crate::{
    Result, World,
    blocking::blocking,
    db::instances as instance_rows,
    expand::Expanded,
    instances::{
        guests::{Guest, Phase},
        options::Typed,
        proxies,
    },
    names,
};

/// Makes an instance's network devices in its namespace, before its first process runs.
pub(crate) async fn attach(
    world: &World,
    guest: &Guest,
    typed: &Typed,
    config: &Raw,
) -> Result<()> {
    let id = names::instance_id(guest.project(), guest.name());
    let ports = Port::all(&world.tag, &id, &typed.devices, config)?;
    if ports.is_empty() {
        return Ok(());
    }
    super::hosts::tell_of(world, guest.project(), guest.name())?;
    let netns = netns(guest).await?;
    for port in ports.values() {
        port.plug(world, netns.as_fd()).await?;
    }
    Ok(())
}

async fn netns(guest: &Guest) -> Result<OwnedFd> {
    let held = guest.clone();
    blocking("open network namespace", move || held.monitor().netns()).await
}

/// Removes an instance's network devices; those that are gone are Ok.
pub(crate) async fn detach(
    world: &World,
    project: &str,
    name: &str,
    expanded: &Expanded,
) -> Result<()> {
    let (typed, id) = (Typed::parse(expanded)?, names::instance_id(project, name));
    let mut result = Ok(());
    for (device, parsed) in &typed.devices {
        if let Device::Nic(nic) = parsed {
            result = result.and(port::unplug(world, &id, (device, nic), &expanded.config).await);
        }
    }
    if proxies::has_rules(&typed) {
        result = result.and(proxies::rules(world, &id, &[]).await);
    }
    result
}

/// Puts back what other programs took from the network devices of those that run; each that fails
/// is logged and does not hold up the others.
pub(crate) async fn repair(world: &World) {
    for guest in world.guests.all() {
        // Whoever removes them holds this.
        let Ok(_still) = guest.ports().try_lock() else { continue };
        if matches!(guest.phase(), Phase::Running | Phase::Frozen)
            && let Err(error) = repair_guest(world, &guest).await
        {
            let (project, name) = (guest.project(), guest.name());
            tracing::warn!(project, name, error = %tasks::chain(&error), "network devices");
        }
    }
}

async fn repair_guest(world: &World, guest: &Guest) -> Result<()> {
    let (project, name) = (guest.project(), guest.name());
    let expanded = world.store.read(|db| {
        let row = instance_rows::get(db, project, name)?;
        row.map(|row| crate::expand::expand(db, &row)).transpose()
    })?;
    let Some(expanded) = expanded else { return Ok(()) };
    let typed = Typed::parse(&expanded)?;
    let id = names::instance_id(project, name);
    let mut result = Ok(());
    for port in Port::all(&world.tag, &id, &typed.devices, &expanded.config)?.values() {
        result = result.and(port.repair(world).await);
    }
    if proxies::has_rules(&typed) {
        let wanted = proxies::Wanted::of(&typed)?;
        result = result.and(proxies::rules(world, &id, &wanted.rules).await);
    }
    result
}

/// The interfaces of a guest as it sees them.
pub(crate) fn rendered(links: &[Interface]) -> BTreeMap<String, InstanceStateNetwork> {
    links.iter().map(|link| (link.name.clone(), render(link))).collect()
}

/// What went over a link.
pub(crate) fn counted(counters: &Counters) -> InstanceStateNetworkCounters {
    InstanceStateNetworkCounters {
        bytes_received: counters.bytes_received,
        bytes_sent: counters.bytes_sent,
        packets_received: counters.packets_received,
        packets_sent: counters.packets_sent,
        errors_received: counters.errors_received,
        errors_sent: counters.errors_sent,
        packets_dropped_outbound: counters.packets_dropped_outbound,
        packets_dropped_inbound: counters.packets_dropped_inbound,
    }
}

fn render(link: &Interface) -> InstanceStateNetwork {
    let address = |address: &Address| InstanceStateNetworkAddress {
        family: String::from(if address.address.is_ipv4() { "inet" } else { "inet6" }),
        address: address.address.to_string(),
        netmask: address.prefix_len.to_string(),
        scope: String::from(address.scope),
    };
    InstanceStateNetwork {
        addresses: link.addresses.iter().map(address).collect(),
        counters: counted(&link.counters),
        hwaddr: link.hwaddr.map(|mac| mac.to_string()).unwrap_or_default(),
        host_name: String::new(),
        mtu: link.mtu,
        state: String::from(if link.up { "up" } else { "down" }),
        r#type: String::from(super::state::medium(link)),
    }
}
