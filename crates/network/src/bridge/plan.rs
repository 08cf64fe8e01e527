//! The whole of a bridge.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use leases::MacAddr;

use super::{Address, BridgeSpec, rules, servers, sysctls};
use crate::{Desired, Error, Facts, Identity, Link, NetworkSpec, Result, Warning, hash, pick};

/// What the kernel gives a bridge without ports.
const MTU: u32 = 1500;

/// What a plan is made of: the settings with all choices made.
pub(super) struct Resolved<'a> {
    pub(super) spec: &'a NetworkSpec,
    pub(super) bridge: &'a BridgeSpec,
    pub(super) link: Link,
    pub(super) table: String,
    pub(super) ipv4: Option<Ipv4Net>,
    pub(super) ipv6: Option<Ipv6Net>,
}

/// Replaces `auto` by the address that the bridge has, else by a free one.
///
/// # Errors
/// No subnet is free.
pub fn resolve(
    spec: &NetworkSpec,
    bridge: &BridgeSpec,
    facts: &Facts,
    mut random: impl FnMut() -> u32,
) -> Result<BridgeSpec> {
    let mut out = bridge.clone();
    let has = facts.link(&spec.link).map(|link| link.addresses.as_slice()).unwrap_or_default();
    if let Some(v4) = out.ipv4.as_mut().filter(|v4| v4.address == Address::Auto) {
        let own = has.iter().find_map(|net| match net {
            IpNet::V4(net) => Some(*net),
            IpNet::V6(_) => None,
        });
        v4.address =
            Address::Fixed(own.map_or_else(|| pick::pick_ipv4(facts, &[], &mut random), Ok)?);
    }
    if let Some(v6) = out.ipv6.as_mut().filter(|v6| v6.address == Address::Auto) {
        let own = has.iter().find_map(|net| match net {
            IpNet::V6(net) if !net.addr().is_unicast_link_local() => Some(*net),
            _ => None,
        });
        v6.address =
            Address::Fixed(own.map_or_else(|| pick::pick_ipv6(facts, &[], &mut random), Ok)?);
    }
    Ok(out)
}

/// Plans a bridge; an address still `auto` is left out, since nothing random happens here.
pub(super) fn plan(
    tag: &str,
    spec: &NetworkSpec,
    bridge: &BridgeSpec,
    facts: &Facts,
) -> Result<Desired> {
    check_name(&spec.link)?;
    let ipv4 = bridge.ipv4.as_ref().and_then(|v4| fixed(v4.address));
    let ipv6 = bridge.ipv6.as_ref().and_then(|v6| fixed(v6.address)).filter(|_| facts.ipv6);
    ipv4.map_or(Ok(()), |net| usable(IpNet::V4(net)))?;
    ipv6.map_or(Ok(()), |net| usable(IpNet::V6(net)))?;
    ranges(bridge, ipv4, ipv6)?;
    let Identity { link, table } = identity(tag, spec, bridge, facts);
    let resolved = Resolved { spec, bridge, link, table, ipv4, ipv6 };
    let present = |name: &&String| facts.link(name).is_some();
    Ok(Desired {
        ports: bridge.external_interfaces.iter().filter(present).cloned().collect(),
        addresses: addresses(&resolved),
        routes: routes(&resolved),
        sysctls: sysctls::plan(&resolved, facts),
        table: rules::plan(&resolved),
        docker: rules::docker_families(&resolved, facts),
        service: servers::plan(&resolved),
        warnings: warnings(&resolved, facts),
        link: resolved.link,
    })
}

fn fixed<N: Copy>(address: Address<N>) -> Option<N> {
    match address {
        Address::Auto => None,
        Address::Fixed(net) => Some(net),
    }
}

/// One to fifteen characters, and none that the kernel or a path would trip over.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let good = |byte: u8| byte.is_ascii_graphic() && !b"/:".contains(&byte);
    if (1..=15).contains(&name.len()) && name.bytes().all(good) && name != "." && name != ".." {
        return Ok(());
    }
    Err(Error::BadName(name.to_owned()))
}

fn usable(net: IpNet) -> Result<()> {
    let edge = |net: IpNet| net.max_prefix_len() - net.prefix_len() >= 2;
    let why = match net {
        _ if net.prefix_len() == 0 => "it holds every address",
        _ if net.addr().is_multicast() => "it is a multicast address",
        _ if net.addr().is_loopback() => "it is a loopback address",
        IpNet::V4(v4) if edge(net) && v4.addr() == v4.network() => "it is the subnet itself",
        IpNet::V4(v4) if edge(net) && v4.addr() == v4.broadcast() => "it is the broadcast address",
        IpNet::V6(v6) if v6.addr().is_unicast_link_local() => "it is a link-local address",
        _ => return Ok(()),
    };
    Err(Error::BadAddress { net, why })
}

/// Ranges lie in the subnet, the first address before the last.
fn ranges(bridge: &BridgeSpec, ipv4: Option<Ipv4Net>, ipv6: Option<Ipv6Net>) -> Result<()> {
    let v4 = bridge.ipv4.iter().flat_map(|v4| &v4.ranges).zip(ipv4.into_iter().cycle());
    let v4 = v4.map(|(r, net)| (IpAddr::V4(r.first), IpAddr::V4(r.last), IpNet::V4(net)));
    let v6 = bridge.ipv6.iter().flat_map(|v6| &v6.ranges).zip(ipv6.into_iter().cycle());
    let v6 = v6.map(|(r, net)| (IpAddr::V6(r.first), IpAddr::V6(r.last), IpNet::V6(net)));
    let good = |first: &IpAddr, last: &IpAddr, net: &IpNet| {
        net.contains(first) && net.contains(last) && first <= last
    };
    match v4.chain(v6).find(|(first, last, net)| !good(first, last, net)) {
        Some((first, last, net)) => Err(Error::BadRange { first, last, net: net.trunc() }),
        None => Ok(()),
    }
}

pub(super) fn identity(
    tag: &str,
    spec: &NetworkSpec,
    bridge: &BridgeSpec,
    facts: &Facts,
) -> Identity {
    let link = Link {
        name: spec.link.clone(),
        hwaddr: bridge.hwaddr.unwrap_or_else(|| hwaddr(&facts.machine_id, tag, &spec.name)),
        mtu: bridge.mtu.unwrap_or(MTU),
        alias: format!("microcloud {tag} {}", spec.name),
    };
    Identity { link, table: table_name(tag, &spec.name) }
}

/// Always the same for a network, and different on every machine, as bridges may share a LAN. The
/// prefix is the one that virtual machine managers share (00:16:3e).
fn hwaddr(machine: &str, tag: &str, name: &str) -> MacAddr {
    let [a, b, c, ..] = hash::stable(&[machine, tag, name]).to_le_bytes();
    MacAddr([0x00, 0x16, 0x3e, a, b, c])
}

/// Unique on this machine by the tag; other characters than nft takes become underscores.
fn table_name(tag: &str, name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let text: String = format!("{tag}_{name}").chars().map(safe).collect();
    let plain = text.len() < 64 && name.chars().all(|c| c.is_ascii_alphanumeric());
    if plain {
        return format!("microcloud_{text}");
    }
    let short: String = text.chars().take(40).collect();
    format!("microcloud_{short}_{:08x}", hash::stable(&[tag, name]) as u32)
}

fn addresses(resolved: &Resolved<'_>) -> Vec<IpNet> {
    let v4 = resolved.ipv4.map(IpNet::V4);
    let v6 = resolved.ipv6.map(IpNet::V6);
    // The kernel makes this one only when a port has a carrier, and then waits a second.
    let near = v6.map(|_| link_local(resolved.link.hwaddr.link_local()));
    v4.into_iter().chain(v6).chain(near).collect()
}

fn link_local(address: Ipv6Addr) -> IpNet {
    IpNet::new_assert(IpAddr::V6(address), 64)
}

fn routes(resolved: &Resolved<'_>) -> Vec<IpNet> {
    let v4 = resolved.bridge.ipv4.iter().flat_map(|v4| &v4.routes);
    let v4 = v4.filter(|_| resolved.ipv4.is_some()).map(|net| IpNet::V4(net.trunc()));
    let v6 = resolved.bridge.ipv6.iter().flat_map(|v6| &v6.routes);
    let v6 = v6.filter(|_| resolved.ipv6.is_some()).map(|net| IpNet::V6(net.trunc()));
    v4.chain(v6).collect()
}

fn warnings(resolved: &Resolved<'_>, facts: &Facts) -> Vec<Warning> {
    let link = resolved.link.name.clone();
    let mut out = Vec::new();
    let absent = resolved.bridge.external_interfaces.iter().filter(|n| facts.link(n).is_none());
    out.extend(absent.map(|name| Warning::NoInterface { name: name.clone() }));
    if resolved.bridge.ipv6.is_some() && !facts.ipv6 {
        out.push(Warning::NoIpv6);
    }
    let stateful = resolved.bridge.ipv6.as_ref().is_some_and(|v6| v6.dhcp && v6.stateful);
    let narrow = resolved.ipv6.filter(|net| net.prefix_len() != 64 && !stateful);
    out.extend(narrow.map(|net| Warning::NotSlash64 { net: IpNet::V6(net.trunc()) }));
    let nets = resolved.ipv4.map(IpNet::V4).into_iter().chain(resolved.ipv6.map(IpNet::V6));
    let busy = nets.filter(|net| facts.overlaps(net.trunc(), Some(&link)));
    out.extend(busy.map(|net| Warning::Overlap { net: net.trunc() }));
    let firewall = &facts.firewall;
    if firewall.firewalld {
        out.push(Warning::Firewalld { link: link.clone() });
    }
    if firewall.ufw && !firewall.denials.is_empty() {
        out.push(Warning::Ufw { link: link.clone() });
    } else if !firewall.firewalld {
        let denials = firewall.denials.iter().cloned();
        out.extend(denials.map(|denial| Warning::Denial { link: link.clone(), denial }));
    }
    if firewall.legacy {
        out.push(Warning::LegacyIptables { link });
    }
    out
}
