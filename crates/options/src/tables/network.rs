//! Options of networks.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

use super::device::Mtu;
use crate::values::choice;
use crate::{
    Domain, InterfaceName, Ipv4Range, Ipv6Range, LeaseTime, List, Mac, Options, Problem, Raw,
    Setting,
};

/// Options of a bridge that the server makes and owns.
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "network-bridge", group = "network-conf", check = Self::consistent)]
pub struct BridgeOptions {
    /// What makes the bridge.
    #[option(key = "bridge.driver", default = "native")]
    pub bridge_driver: BridgeDriver,
    /// Interfaces of the host that are on the bridge too.
    ///
    /// They must have no address.
    #[option(key = "bridge.external_interfaces", scope = local)]
    pub bridge_external_interfaces: Option<List<InterfaceName>>,
    /// Hardware address of the bridge.
    #[option(key = "bridge.hwaddr", default_text = "picked by the server")]
    pub bridge_hwaddr: Option<Mac>,
    /// How the bridge works.
    #[option(key = "bridge.mode", default = "standard")]
    pub bridge_mode: BridgeMode,
    /// Largest packet in bytes.
    #[option(key = "bridge.mtu", default_text = "1500")]
    pub bridge_mtu: Option<Mtu>,

    /// Domain that instances are named in.
    #[option(key = "dns.domain", default = "lxd")]
    pub dns_domain: Domain,
    /// Which names the network's DNS server knows.
    ///
    /// `managed` knows the instances by their names, `dynamic` what clients of DHCP call
    /// themselves, `none` turns DNS off.
    #[option(key = "dns.mode", default = "managed")]
    pub dns_mode: DnsMode,
    /// Domains that instances search.
    ///
    /// Without it, the one of `dns.domain`.
    #[option(key = "dns.search")]
    pub dns_search: Option<List<Domain>>,

    /// IPv4 address of the bridge.
    ///
    /// With its prefix length. `none` turns IPv4 off; `auto` picks a free subnet when the network
    /// is made.
    #[option(key = "ipv4.address", default = "none", initial = "auto")]
    pub ipv4_address: Setting<Ipv4Net>,
    /// Whether instances get IPv4 addresses by DHCP.
    #[option(key = "ipv4.dhcp", default = "true", condition = "IPv4 address")]
    pub ipv4_dhcp: bool,
    /// How long an IPv4 address is lent.
    #[option(
        key = "ipv4.dhcp.expiry",
        since = "network_dhcp_expiry",
        default = "1h",
        condition = "IPv4 DHCP"
    )]
    pub ipv4_dhcp_expiry: LeaseTime,
    /// Gateway that DHCP tells, when it is not the bridge.
    #[option(
        key = "ipv4.dhcp.gateway",
        since = "network_dhcp_gateway",
        default_text = "the bridge",
        condition = "IPv4 DHCP"
    )]
    pub ipv4_dhcp_gateway: Option<Ipv4Addr>,
    /// IPv4 addresses that DHCP gives away.
    #[option(key = "ipv4.dhcp.ranges", default_text = "the whole subnet", condition = "IPv4 DHCP")]
    pub ipv4_dhcp_ranges: Option<List<Ipv4Range>>,
    /// Whether firewall rules let the network's own IPv4 traffic pass.
    #[option(
        key = "ipv4.firewall",
        since = "network_firewall_filtering",
        default = "true",
        condition = "IPv4 address"
    )]
    pub ipv4_firewall: bool,
    /// Whether IPv4 traffic leaves with an address of the host.
    ///
    /// Set when the network is made with `ipv4.address=auto`.
    #[option(key = "ipv4.nat", default = "false", condition = "IPv4 address")]
    pub ipv4_nat: bool,
    /// Address that IPv4 traffic leaves with.
    #[option(
        key = "ipv4.nat.address",
        scope = local,
        default_text = "that of the interface it leaves by",
        condition = "IPv4 NAT"
    )]
    pub ipv4_nat_address: Option<Ipv4Addr>,
    /// Whether the IPv4 rules come before or after those of others.
    #[option(key = "ipv4.nat.order", default = "before", condition = "IPv4 NAT")]
    pub ipv4_nat_order: NatOrder,
    /// IPv4 addresses kept for the routers of OVN networks.
    #[option(key = "ipv4.ovn.ranges")]
    pub ipv4_ovn_ranges: Option<List<Ipv4Range>>,
    /// More IPv4 subnets routed to the bridge.
    #[option(key = "ipv4.routes", since = "network_routes", condition = "IPv4 address")]
    pub ipv4_routes: Option<List<Ipv4Net>>,
    /// Whether IPv4 traffic goes in and out of the network.
    #[option(key = "ipv4.routing", default = "true", condition = "IPv4 address")]
    pub ipv4_routing: bool,

    /// IPv6 address of the bridge.
    ///
    /// With its prefix length. `none` turns IPv6 off; `auto` picks a free subnet when the network
    /// is made.
    #[option(key = "ipv6.address", default = "none", initial = "auto")]
    pub ipv6_address: Setting<Ipv6Net>,
    /// Whether instances learn IPv6 addresses from the network.
    ///
    /// By router advertisements, and by DHCP when `ipv6.dhcp.stateful` is on.
    #[option(key = "ipv6.dhcp", default = "true", condition = "IPv6 address")]
    pub ipv6_dhcp: bool,
    /// How long an IPv6 address is lent.
    #[option(
        key = "ipv6.dhcp.expiry",
        since = "network_dhcp_expiry",
        default = "1h",
        condition = "stateful IPv6 DHCP"
    )]
    pub ipv6_dhcp_expiry: LeaseTime,
    /// IPv6 addresses that DHCP gives away.
    #[option(
        key = "ipv6.dhcp.ranges",
        default_text = "the whole subnet",
        condition = "stateful IPv6 DHCP"
    )]
    pub ipv6_dhcp_ranges: Option<List<Ipv6Range>>,
    /// Whether DHCP gives IPv6 addresses away.
    ///
    /// Otherwise instances make their own from the advertised prefix.
    #[option(key = "ipv6.dhcp.stateful", default = "false", condition = "IPv6 DHCP")]
    pub ipv6_dhcp_stateful: bool,
    /// Whether firewall rules let the network's own IPv6 traffic pass.
    #[option(
        key = "ipv6.firewall",
        since = "network_firewall_filtering",
        default = "true",
        condition = "IPv6 address"
    )]
    pub ipv6_firewall: bool,
    /// Whether IPv6 traffic leaves with an address of the host.
    ///
    /// Set when the network is made with `ipv6.address=auto`.
    #[option(key = "ipv6.nat", default = "false", condition = "IPv6 address")]
    pub ipv6_nat: bool,
    /// Address that IPv6 traffic leaves with.
    #[option(
        key = "ipv6.nat.address",
        scope = local,
        default_text = "that of the interface it leaves by",
        condition = "IPv6 NAT"
    )]
    pub ipv6_nat_address: Option<Ipv6Addr>,
    /// Whether the IPv6 rules come before or after those of others.
    #[option(key = "ipv6.nat.order", default = "before", condition = "IPv6 NAT")]
    pub ipv6_nat_order: NatOrder,
    /// IPv6 addresses kept for the routers of OVN networks.
    #[option(key = "ipv6.ovn.ranges")]
    pub ipv6_ovn_ranges: Option<List<Ipv6Range>>,
    /// More IPv6 subnets routed to the bridge.
    #[option(key = "ipv6.routes", since = "network_routes", condition = "IPv6 address")]
    pub ipv6_routes: Option<List<Ipv6Net>>,
    /// Whether IPv6 traffic goes in and out of the network.
    #[option(key = "ipv6.routing", default = "true", condition = "IPv6 address")]
    pub ipv6_routing: bool,

    /// Anything you want to note.
    #[option(pattern = "user.*")]
    pub user: BTreeMap<String, String>,
}

choice! {
    /// What makes a bridge. Open vSwitch is not supported yet.
    pub enum BridgeDriver { Native = "native" }
}

choice! {
    /// How a bridge works. Fan bridges are not supported.
    pub enum BridgeMode { Standard = "standard" }
}

choice! {
    /// Which names a network's DNS server knows.
    pub enum DnsMode {
        Managed = "managed",
        Dynamic = "dynamic",
        None = "none",
    }
}

choice! {
    /// Where NAT rules stand among those of others.
    pub enum NatOrder {
        Before = "before",
        After = "after",
    }
}

impl BridgeOptions {
    /// Fills in what a new bridge has: addresses on `auto` unless given, and NAT for each that is.
    pub fn fill_new(raw: &mut Raw) {
        Self::fill_initial(raw);
        for (address, nat) in [("ipv4.address", "ipv4.nat"), ("ipv6.address", "ipv6.nat")] {
            if raw.get(address) == Some("auto") {
                raw.set_default(nat, "true");
            }
        }
    }

    fn consistent(&self) -> Vec<Problem> {
        [self.consistent4(), self.consistent6()].concat()
    }

    fn consistent4(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let ranges = self.ipv4_dhcp_ranges.as_deref().unwrap_or_default();
        let kept = self.ipv4_ovn_ranges.as_deref().unwrap_or_default();
        if let Some(net) = self.ipv4_address.value() {
            problems.extend(not_a_host("ipv4.address", *net, net.addr() == net.network()));
            problems.extend(outside("ipv4.dhcp.ranges", ranges, *net, |r| r.is_within(net)));
            problems.extend(outside("ipv4.ovn.ranges", kept, *net, |r| r.is_within(net)));
        }
        if ranges.iter().any(|range| kept.iter().any(|kept| range.overlaps(kept))) {
            problems.push(Problem::conflict(
                "ipv4.ovn.ranges",
                "must not overlap with ipv4.dhcp.ranges",
            ));
        }
        problems
    }

    fn consistent6(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let ranges = self.ipv6_dhcp_ranges.as_deref().unwrap_or_default();
        let kept = self.ipv6_ovn_ranges.as_deref().unwrap_or_default();
        if let Some(net) = self.ipv6_address.value() {
            problems.extend(not_a_host("ipv6.address", *net, net.addr() == net.network()));
            problems.extend(outside("ipv6.dhcp.ranges", ranges, *net, |r| r.is_within(net)));
            problems.extend(outside("ipv6.ovn.ranges", kept, *net, |r| r.is_within(net)));
        }
        if !ranges.is_empty() && !self.ipv6_dhcp_stateful {
            problems.push(Problem::conflict("ipv6.dhcp.ranges", "needs ipv6.dhcp.stateful"));
        }
        if ranges.iter().any(|range| kept.iter().any(|kept| range.overlaps(kept))) {
            problems.push(Problem::conflict(
                "ipv6.ovn.ranges",
                "must not overlap with ipv6.dhcp.ranges",
            ));
        }
        problems
    }
}

/// The bridge must have an address of its own, not that of the subnet; a /31, /32, /127 or /128 has
/// none other.
fn not_a_host(key: &str, net: impl Into<ipnet::IpNet>, is_subnet: bool) -> Option<Problem> {
    let net = net.into();
    let wrong = is_subnet && net.max_prefix_len() - net.prefix_len() > 1;
    wrong.then(|| {
        Problem::invalid(
            key,
            &net.to_string(),
            "an address of the bridge in its subnet, such as the first",
        )
    })
}

fn outside<R: std::fmt::Display>(
    key: &str,
    ranges: &[R],
    net: impl Into<ipnet::IpNet>,
    is_within: impl Fn(&R) -> bool,
) -> Option<Problem> {
    let wrong = ranges.iter().find(|range| !is_within(range))?;
    Some(Problem::invalid(key, &wrong.to_string(), format!("ranges within {}", net.into().trunc())))
}
