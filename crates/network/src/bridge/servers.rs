//! What the servers on the bridge are told.

use leases::{Dhcp4, Dhcp6, Dns, Ipv4, Ipv6, ServiceConfig};

use super::{Ipv4Spec, Ipv6Spec, plan::Resolved};

pub(super) fn plan(resolved: &Resolved<'_>) -> ServiceConfig {
    let bridge = resolved.bridge;
    let v4 = bridge.ipv4.as_ref().zip(resolved.ipv4);
    let v6 = bridge.ipv6.as_ref().zip(resolved.ipv6);
    ServiceConfig {
        interface: resolved.link.name.clone(),
        index: 0,
        hwaddr: resolved.link.hwaddr,
        mtu: resolved.link.mtu,
        state_dir: resolved.spec.state_dir.clone(),
        ipv4: v4.map(|(spec, address)| Ipv4 { address, dhcp: dhcp4(spec, address.addr()) }),
        ipv6: v6.map(|(spec, address)| Ipv6 { address, routing: spec.routing, dhcp: dhcp6(spec) }),
        dns: Dns {
            mode: bridge.dns.mode,
            domain: bridge.dns.domain.clone(),
            search: bridge.dns.search.clone(),
            resolv_conf: bridge.dns.resolv_conf.clone(),
        },
    }
}

fn dhcp4(spec: &Ipv4Spec, own: std::net::Ipv4Addr) -> Option<Dhcp4> {
    spec.dhcp.then(|| Dhcp4 {
        ranges: spec.ranges.clone(),
        expiry: spec.expiry,
        gateway: Some(spec.gateway.unwrap_or(own)),
    })
}

fn dhcp6(spec: &Ipv6Spec) -> Option<Dhcp6> {
    spec.dhcp.then(|| Dhcp6 {
        stateful: spec.stateful,
        ranges: spec.ranges.clone(),
        expiry: spec.expiry,
    })
}
