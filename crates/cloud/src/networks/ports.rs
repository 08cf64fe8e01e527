//! The network devices of an instance: pairs of links, one end inside.

use std::{collections::BTreeMap, os::fd::AsFd};

use network::{Address, Host, Interface, PortSpec};
use options::{
    Raw,
    device::{Device, Nic},
    instance::device_key,
};
use wire::{InstanceStateNetwork, InstanceStateNetworkAddress, InstanceStateNetworkCounters};

use super::spec::mac;
use crate::{
    Error, Result, World,
    blocking::blocking,
    db::instances::{self as instance_rows, Instance},
    expand::Expanded,
    instances::{guests::Guest, options::Typed, volatile},
    names,
};

/// Makes an instance's network devices in its namespace, before its first process runs.
pub(crate) async fn attach(
    world: &World,
    guest: &Guest,
    typed: &Typed,
    config: &Raw,
) -> Result<()> {
    let nics: Vec<(&String, &Nic)> =
        typed.devices.iter().filter_map(|(name, device)| Some((name, device.nic()?))).collect();
    if nics.is_empty() {
        return Ok(());
    }
    tell_hosts(world).await?;
    let held = guest.clone();
    let netns = blocking("open network namespace", move || held.monitor().netns()).await?;
    let id = names::instance_id(guest.project(), guest.name());
    for (at, (name, nic)) in nics.into_iter().enumerate() {
        let inside = nic.name().map_or_else(|| format!("eth{at}"), str::to_owned);
        let spec = PortSpec {
            bridge: nic.bridge(),
            host_name: &host_name(world, &id, name, nic),
            host_hwaddr: None,
            name: &inside,
            hwaddr: hwaddr(name, nic, config)?,
            mtu: nic.mtu(),
            queue_length: nic.queue_length(),
            isolated: nic.isolated(),
            netns: netns.as_fd(),
        };
        if let Err(first) = world.plane.attach_port(&spec).await {
            // What an attempt before this one left is in the way; anything else fails again.
            tracing::debug!(port = spec.host_name, error = %tasks::chain(&first), "port");
            world.plane.detach_port(spec.host_name).await?;
            world.plane.attach_port(&spec).await?;
        }
    }
    Ok(())
}

fn host_name(world: &World, id: &str, device: &str, nic: &Nic) -> String {
    match nic.host_name() {
        Some(given) => given.to_owned(),
        None => volatile::host_name(&world.tag, id, device),
    }
}

fn hwaddr(device: &str, nic: &Nic, config: &Raw) -> Result<leases::MacAddr> {
    if let Some(given) = nic.hwaddr() {
        return Ok(mac(given));
    }
    let key = device_key(device, "hwaddr");
    let text = config.get(&key).unwrap_or_default();
    text.parse().map_err(|_| Error::invalid("configuration", format!("{key} is \"{text}\"")))
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
            let gone = world.plane.detach_port(&host_name(world, &id, device, nic)).await;
            result = result.and(gone.map_err(Error::from));
        }
    }
    result
}

/// Tells every network which instance has which hardware address, so that names and leases are
/// right from the first packet on.
pub(crate) async fn tell_hosts(world: &World) -> Result<()> {
    tell(world, |_| true)
}

/// Takes an instance off its networks, so that its names and leases end. To be done before its row
/// goes: after a crash between the two nobody would know whose the leases were.
pub(crate) fn forget(world: &World, project: &str, name: &str) -> Result<()> {
    tell(world, |row| (row.project.as_str(), row.name.as_str()) != (project, name))
}

fn tell(world: &World, wanted: impl Fn(&Instance) -> bool) -> Result<()> {
    let hosts = world.store.read(|db| {
        let networks = crate::db::networks::all(db)?.into_iter();
        let mut hosts: BTreeMap<String, Vec<Host>> =
            networks.map(|network| (network.name, Vec::new())).collect();
        for row in instance_rows::all(db)?.into_iter().filter(wanted) {
            let expanded = crate::expand::expand(db, &row)?;
            let Ok(typed) = Typed::parse(&expanded) else { continue };
            for (device, parsed) in &typed.devices {
                let Some(nic) = parsed.nic() else { continue };
                let (Some(bridge), Ok(hwaddr)) =
                    (nic.bridge(), hwaddr(device, nic, &expanded.config))
                else {
                    continue;
                };
                let host =
                    Host { name: row.name.clone(), hwaddr, ipv4: nic.ipv4(), ipv6: nic.ipv6() };
                hosts.entry(bridge.to_owned()).or_default().push(host);
            }
        }
        Ok::<_, Error>(hosts)
    })?;
    for (network, hosts) in hosts {
        world.plane.set_hosts(&network, hosts);
    }
    Ok(())
}

/// The interfaces of a guest as it sees them.
pub(crate) async fn interfaces(guest: &Guest) -> Result<BTreeMap<String, InstanceStateNetwork>> {
    let held = guest.clone();
    let netns = blocking("open network namespace", move || held.monitor().netns()).await?;
    let found = network::addresses_in(netns).await?;
    Ok(found.into_iter().map(|link| (link.name.clone(), render(&link))).collect())
}

fn render(link: &Interface) -> InstanceStateNetwork {
    let address = |address: &Address| InstanceStateNetworkAddress {
        family: String::from(if address.address.is_ipv4() { "inet" } else { "inet6" }),
        address: address.address.to_string(),
        netmask: address.prefix_len.to_string(),
        scope: String::from(address.scope),
    };
    let counters = &link.counters;
    InstanceStateNetwork {
        addresses: link.addresses.iter().map(address).collect(),
        counters: InstanceStateNetworkCounters {
            bytes_received: counters.bytes_received,
            bytes_sent: counters.bytes_sent,
            packets_received: counters.packets_received,
            packets_sent: counters.packets_sent,
            errors_received: counters.errors_received,
            errors_sent: counters.errors_sent,
            packets_dropped_outbound: counters.packets_dropped_outbound,
            packets_dropped_inbound: counters.packets_dropped_inbound,
        },
        hwaddr: link.hwaddr.map(|mac| mac.to_string()).unwrap_or_default(),
        host_name: String::new(),
        mtu: link.mtu,
        state: String::from(if link.up { "up" } else { "down" }),
        r#type: String::from(super::state::medium(link)),
    }
}
