//! From a network's options to what the plane is told. Pure.

use std::time::Duration;

use leases::{MacAddr, Range};
use network::{
    DnsMode, Kind, NetworkSpec,
    bridge::{Address, BridgeSpec, DnsSpec, Ipv4Spec, Ipv6Spec},
};
use options::{
    Setting,
    network::{BridgeOptions, DnsMode as DnsChoice},
};

use crate::{Result, World, db::networks::Network};

/// The specification of a network.
pub(crate) fn of(world: &World, row: &Network) -> Result<NetworkSpec> {
    let options = super::check_options(&row.config)?;
    Ok(NetworkSpec {
        name: row.name.clone(),
        link: row.name.clone(),
        kind: Kind::Bridge(bridge(&options)),
        state_dir: world.dirs.network(&row.name),
    })
}

fn bridge(options: &BridgeOptions) -> BridgeSpec {
    let names = options.bridge_external_interfaces.as_deref().unwrap_or_default();
    BridgeSpec {
        ipv4: ipv4(options),
        ipv6: ipv6(options),
        mtu: options.bridge_mtu.and_then(|mtu| u32::try_from(mtu.get()).ok()),
        hwaddr: options.bridge_hwaddr.map(mac),
        external_interfaces: names.iter().map(ToString::to_string).collect(),
        dns: DnsSpec {
            mode: match options.dns_mode {
                DnsChoice::Managed => DnsMode::Managed,
                DnsChoice::Dynamic => DnsMode::Dynamic,
                DnsChoice::None => DnsMode::None,
            },
            resolv_conf: "/etc/resolv.conf".into(),
            domain: options.dns_domain.to_string(),
            search: options
                .dns_search
                .as_deref()
                .unwrap_or_default()
                .iter()
                .map(ToString::to_string)
                .collect(),
        },
    }
}

fn ipv4(options: &BridgeOptions) -> Option<Ipv4Spec> {
    let address = match &options.ipv4_address {
        Setting::None => return None,
        Setting::Auto => Address::Auto,
        Setting::Value(net) => Address::Fixed(*net),
    };
    let ranges = options.ipv4_dhcp_ranges.as_deref().unwrap_or_default();
    Some(Ipv4Spec {
        address,
        nat: options.ipv4_nat,
        nat_address: options.ipv4_nat_address,
        dhcp: options.ipv4_dhcp,
        ranges: ranges.iter().map(|range| Range { first: range.first, last: range.last }).collect(),
        expiry: lease(options.ipv4_dhcp_expiry),
        gateway: options.ipv4_dhcp_gateway,
        firewall: options.ipv4_firewall,
        routing: options.ipv4_routing,
        routes: options.ipv4_routes.as_deref().unwrap_or_default().to_vec(),
    })
}

fn ipv6(options: &BridgeOptions) -> Option<Ipv6Spec> {
    let address = match &options.ipv6_address {
        Setting::None => return None,
        Setting::Auto => Address::Auto,
        Setting::Value(net) => Address::Fixed(*net),
    };
    let ranges = options.ipv6_dhcp_ranges.as_deref().unwrap_or_default();
    Some(Ipv6Spec {
        address,
        nat: options.ipv6_nat,
        nat_address: options.ipv6_nat_address,
        dhcp: options.ipv6_dhcp,
        stateful: options.ipv6_dhcp_stateful,
        ranges: ranges.iter().map(|range| Range { first: range.first, last: range.last }).collect(),
        expiry: lease(options.ipv6_dhcp_expiry),
        firewall: options.ipv6_firewall,
        routing: options.ipv6_routing,
        routes: options.ipv6_routes.as_deref().unwrap_or_default().to_vec(),
    })
}

fn lease(time: options::LeaseTime) -> Duration {
    Duration::from_secs(time.seconds().into())
}

pub(crate) fn mac(mac: options::Mac) -> MacAddr {
    MacAddr(mac.0)
}
