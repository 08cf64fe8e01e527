//! Interfaces and their addresses, as the kernel tells.

use std::{collections::BTreeMap, io};

use futures_util::TryStreamExt;
use rtnetlink::packet_route::{
    AddressFamily,
    address::{AddressAttribute, AddressMessage, AddressScope},
    link::{LinkAttribute, LinkFlags, LinkMessage, State},
};
use wire::{InstanceStateNetwork, InstanceStateNetworkAddress, InstanceStateNetworkCounters};

pub(super) type Networks = BTreeMap<String, InstanceStateNetwork>;

/// All of them by their names.
pub(super) async fn networks() -> io::Result<Networks> {
    let (connection, handle, _) = rtnetlink::new_connection()?;
    // It ends with the handle.
    tokio::spawn(connection);
    let links: Vec<LinkMessage> =
        handle.link().get().execute().try_collect().await.map_err(io::Error::other)?;
    let addresses: Vec<AddressMessage> =
        handle.address().get().execute().try_collect().await.map_err(io::Error::other)?;
    Ok(links.iter().map(|link| interface(link, &addresses)).collect())
}

fn interface(link: &LinkMessage, all: &[AddressMessage]) -> (String, InstanceStateNetwork) {
    let flags = link.header.flags;
    let mut name = String::new();
    let mut shown = InstanceStateNetwork {
        r#type: medium(flags).to_owned(),
        state: String::from("down"),
        ..InstanceStateNetwork::default()
    };
    for attribute in &link.attributes {
        match attribute {
            LinkAttribute::IfName(text) => name.clone_from(text),
            LinkAttribute::Address(bytes) => shown.hwaddr = hwaddr(bytes),
            LinkAttribute::Mtu(mtu) => shown.mtu = *mtu,
            // A loopback knows of no carrier.
            LinkAttribute::OperState(State::Up | State::Unknown)
                if flags.contains(LinkFlags::Up) =>
            {
                shown.state = String::from("up");
            }
            LinkAttribute::Stats64(stats) => {
                shown.counters = InstanceStateNetworkCounters {
                    bytes_received: stats.rx_bytes,
                    bytes_sent: stats.tx_bytes,
                    packets_received: stats.rx_packets,
                    packets_sent: stats.tx_packets,
                    errors_received: stats.rx_errors,
                    errors_sent: stats.tx_errors,
                    packets_dropped_inbound: stats.rx_dropped,
                    packets_dropped_outbound: stats.tx_dropped,
                };
            }
            _ => {}
        }
    }
    let own = all.iter().filter(|message| message.header.index == link.header.index);
    shown.addresses = own.filter_map(address).collect();
    (name, shown)
}

fn medium(flags: LinkFlags) -> &'static str {
    match () {
        () if flags.contains(LinkFlags::Loopback) => "loopback",
        () if flags.contains(LinkFlags::Broadcast) => "broadcast",
        () if flags.contains(LinkFlags::Pointopoint) => "point-to-point",
        () => "unknown",
    }
}

pub(in crate::guest) fn hwaddr(bytes: &[u8]) -> String {
    let parts: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    if parts.len() == 6 { parts.join(":") } else { String::new() }
}

/// On a tunnel `Address` is the other end's.
fn address(message: &AddressMessage) -> Option<InstanceStateNetworkAddress> {
    let local = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    let any = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Address(address) => Some(*address),
        _ => None,
    });
    let family = match message.header.family {
        AddressFamily::Inet => "inet",
        AddressFamily::Inet6 => "inet6",
        _ => return None,
    };
    let scope = match message.header.scope {
        AddressScope::Universe | AddressScope::Site => "global",
        AddressScope::Link => "link",
        _ => "local",
    };
    Some(InstanceStateNetworkAddress {
        family: family.to_owned(),
        address: local.or(any)?.to_string(),
        netmask: message.header.prefix_len.to_string(),
        scope: scope.to_owned(),
    })
}
