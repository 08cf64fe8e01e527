//! What the own domain holds, worked out from the state when it is asked for.

use std::net::IpAddr;

use hickory_proto::rr::Name;

use crate::{DnsMode, State, table::Client};

/// The name of the bridge itself in its domain.
const GATEWAY: &str = "_gateway";

/// Where a name belongs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The domain itself.
    Apex,
    /// One label in the domain, or a bare label that an instance has.
    Host(String),
    /// An address in a subnet of the bridge.
    Address(IpAddr),
    /// In the domain or a subnet, but not something that can exist.
    Nowhere,
    /// Not ours.
    Elsewhere,
}

pub(super) fn place(state: &State, name: &Name) -> Place {
    if let Some(address) = reverse(name) {
        return if state.ours(address) { Place::Address(address) } else { Place::Elsewhere };
    }
    let labels: Vec<String> =
        name.iter().map(|l| String::from_utf8_lossy(l).to_ascii_lowercase()).collect();
    let domain: Vec<String> =
        state.config.dns.domain.to_ascii_lowercase().split('.').map(str::to_owned).collect();
    match labels.strip_suffix(domain.as_slice()) {
        Some([]) => Place::Apex,
        Some([host]) => Place::Host(host.clone()),
        Some(_) => Place::Nowhere,
        None => match labels.as_slice() {
            [bare] if !addresses(state, bare, 0).is_empty() => Place::Host(bare.clone()),
            _ => Place::Elsewhere,
        },
    }
}

/// The addresses of a name in the own domain.
pub(super) fn addresses(state: &State, host: &str, now: u64) -> Vec<IpAddr> {
    if host == GATEWAY {
        let v4 = state.config.ipv4.as_ref().map(|v4| IpAddr::V4(v4.address.addr()));
        return v4
            .into_iter()
            .chain(state.config.ipv6.as_ref().map(|v6| v6.address.addr().into()))
            .collect();
    }
    if state.config.dns.mode == DnsMode::None {
        return Vec::new();
    }
    if state.hosts.named(host) {
        return state.hosts.by_name(host).flat_map(|port| state.addresses(port, now)).collect();
    }
    if state.config.dns.mode != DnsMode::Dynamic {
        return Vec::new();
    }
    let claims = state.table.active(now).filter(|b| b.hostname.as_deref() == Some(host));
    claims.filter(|b| !known(state, &b.client)).map(|b| b.address).take(8).collect()
}

/// Whether a name exists, with or without addresses.
pub(super) fn exists(state: &State, host: &str, now: u64) -> bool {
    let named = state.config.dns.mode != DnsMode::None && state.hosts.named(host);
    named || !addresses(state, host, now).is_empty()
}

/// The name of an address, without the domain.
pub(super) fn name(state: &State, address: IpAddr, now: u64) -> Option<String> {
    if state.config.ipv4.as_ref().is_some_and(|v4| address == IpAddr::V4(v4.address.addr()))
        || state.config.ipv6.as_ref().is_some_and(|v6| address == IpAddr::V6(v6.address.addr()))
    {
        return Some(GATEWAY.to_owned());
    }
    if state.config.dns.mode == DnsMode::None {
        return None;
    }
    let host = state.hosts.iter().find(|host| state.addresses(host, now).contains(&address));
    if let Some(host) = host {
        return Some(host.name.to_ascii_lowercase());
    }
    let binding = state.table.at(address).filter(|b| b.expires > now)?;
    let name = state.name_of(binding).filter(|_| state.config.dns.mode == DnsMode::Dynamic)?;
    Some(name.to_owned())
}

fn known(state: &State, client: &Client) -> bool {
    matches!(client, Client::Mac(mac) if state.hosts.by_mac(*mac).is_some())
}

/// The address that a whole `in-addr.arpa` or `ip6.arpa` name stands for.
fn reverse(name: &Name) -> Option<IpAddr> {
    let net = name.parse_arpa_name().ok()?;
    (net.prefix_len() == net.max_prefix_len()).then(|| net.addr())
}
