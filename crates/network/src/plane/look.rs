//! Gathers the facts.

use std::fs;

use ipnet::IpNet;
use rtnetlink::{
    Handle,
    packet_route::route::{
        RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteType,
    },
};

use super::sysctl;
use crate::{
    Error, Facts, Firewall, Interface, LinkFact, Result, facts::RouteFact, firewall, interface,
    netlink,
};

pub(super) async fn facts(handle: &Handle) -> Result<Facts> {
    let links = netlink::links(handle).await?;
    let addresses = netlink::addresses(handle).await?;
    let routes = netlink::routes(handle).await?;
    let links: Vec<LinkFact> =
        interface::assemble(&links, &addresses).into_iter().map(link).collect();
    // Ports hear no advertisements themselves.
    let own = links.iter().filter(|link| link.master.is_none() && link.name != "lo");
    let takes = |name: &String| {
        sysctl::read(&format!("net/ipv6/conf/{name}/accept_ra")).as_deref() == Some("1")
    };
    Ok(Facts {
        machine_id: fs::read_to_string("/etc/machine-id").unwrap_or_default().trim().to_owned(),
        accepting_ra: own.map(|link| link.name.clone()).filter(takes).collect(),
        routes: routes.iter().filter_map(route).collect(),
        ipv6: sysctl::read("net/ipv6/conf/all/forwarding").is_some(),
        firewall: firewall().await?,
        links,
    })
}

fn link(interface: Interface) -> LinkFact {
    let net = |a: &crate::Address| IpNet::new(a.address, a.prefix_len).ok();
    LinkFact {
        addresses: interface.addresses.iter().filter_map(net).collect(),
        index: interface.index,
        name: interface.name,
        kind: interface.kind,
        hwaddr: interface.hwaddr,
        mtu: interface.mtu,
        up: interface.enabled,
        master: interface.master,
        alias: interface.alias,
    }
}

/// Ways to other machines; what the kernel keeps for its own addresses is left out.
fn route(message: &RouteMessage) -> Option<RouteFact> {
    let header = &message.header;
    let shown = [RouteType::Unicast, RouteType::BlackHole, RouteType::Unreachable];
    if !shown.contains(&header.kind) || header.table == LOCAL {
        return None;
    }
    let mut net = None;
    let mut link = None;
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(v4)) => net = Some((*v4).into()),
            RouteAttribute::Destination(RouteAddress::Inet6(v6)) => net = Some((*v6).into()),
            RouteAttribute::Oif(index) => link = Some(*index),
            _ => {}
        }
    }
    let net = IpNet::new(net?, header.destination_prefix_length).ok()?;
    let fixed =
        header.protocol == RouteProtocol::Static && header.table == RouteHeader::RT_TABLE_MAIN;
    let multicast = net.addr().is_multicast();
    let near = matches!(net, IpNet::V6(v6) if v6.addr().is_unicast_link_local());
    (!multicast && !near).then_some(RouteFact { net, link, fixed })
}

/// The kernel's table of its own addresses (RT_TABLE_LOCAL).
const LOCAL: u8 = 255;

async fn firewall() -> Result<Firewall> {
    let rules = super::act::blocking(exec::nft::ruleset).await;
    let rules = rules.map_err(|source| Error::Firewall { network: "(all)".into(), source })?;
    let mut out = firewall::read(&rules);
    // The thread's own namespace; /proc/net is that of the process.
    let legacy = fs::read_to_string("/proc/thread-self/net/ip_tables_names").unwrap_or_default();
    out.legacy = legacy.lines().any(|table| table == "filter");
    Ok(out)
}
