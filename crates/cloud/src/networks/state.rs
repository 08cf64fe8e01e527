//! What is true of a network's link now.

use network::{Interface, Medium};
use wire::{Network, NetworkState, NetworkStateAddress, NetworkStateBridge, NetworkStateCounters};

use crate::{Error, Result, World};

/// The state of a network's link.
pub async fn state(world: &World, project: &str, name: &str) -> Result<NetworkState> {
    super::get(world, project, name).await?;
    let links = world.plane.interfaces().await?;
    let link = links.iter().find(|link| link.name == name);
    let link = link.ok_or_else(|| Error::not_found("network link", name))?;
    let bridge = (link.kind == "bridge").then(|| NetworkStateBridge {
        upper_devices: ports(&links, link),
        ..NetworkStateBridge::default()
    });
    Ok(NetworkState { bridge, ..render(link) })
}

fn ports(links: &[Interface], bridge: &Interface) -> Vec<String> {
    let on_it = links.iter().filter(|link| link.master == Some(bridge.index));
    on_it.map(|link| link.name.clone()).collect()
}

fn render(link: &Interface) -> NetworkState {
    let address = |address: &network::Address| NetworkStateAddress {
        family: String::from(if address.address.is_ipv4() { "inet" } else { "inet6" }),
        address: address.address.to_string(),
        netmask: address.prefix_len.to_string(),
        scope: String::from(address.scope),
    };
    NetworkState {
        addresses: link.addresses.iter().map(address).collect(),
        counters: NetworkStateCounters {
            bytes_received: link.counters.bytes_received,
            bytes_sent: link.counters.bytes_sent,
            packets_received: link.counters.packets_received,
            packets_sent: link.counters.packets_sent,
        },
        hwaddr: link.hwaddr.map(|mac| mac.to_string()).unwrap_or_default(),
        mtu: link.mtu,
        state: String::from(if link.up { "up" } else { "down" }),
        r#type: String::from(medium(link)),
        ..NetworkState::default()
    }
}

pub(super) fn medium(link: &Interface) -> &'static str {
    match link.medium {
        Medium::Loopback => "loopback",
        Medium::PointToPoint => "point-to-point",
        _ => "broadcast",
    }
}

/// The machine's own links, those of instances left out.
pub(super) async fn unmanaged(world: &World, managed: &[Network]) -> Result<Vec<Network>> {
    let links = world.plane.interfaces().await?;
    let foreign = links.into_iter().filter(|link| {
        link.kind != "veth" && managed.iter().all(|network| network.name != link.name)
    });
    Ok(foreign
        .map(|link| Network {
            r#type: String::from(match (link.medium, link.kind.as_str()) {
                (Medium::Loopback, _) => "loopback",
                (_, "bridge" | "bond" | "vlan") => link.kind.as_str(),
                (_, "") => "physical",
                _ => "unknown",
            }),
            name: link.name.clone(),
            ..Network::default()
        })
        .collect())
}
