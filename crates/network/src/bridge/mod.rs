//! A bridge that this machine makes, serves and connects to the outside.
//!
//! | file | plans |
//! |---|---|
//! | `plan` | the link, its addresses, the whole |
//! | `sysctls` | forwarding, and what the kernel may do with IPv6 on it |
//! | `rules` | the nft table, and the rules in Docker's chain |
//! | `servers` | DHCP, router advertisements, names |

mod plan;
mod rules;
mod servers;
mod sysctls;

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    path::PathBuf,
    time::Duration,
};

use ipnet::{Ipv4Net, Ipv6Net};
use leases::{DnsMode, MacAddr, Range};

pub(crate) use plan::check_name;
pub use plan::resolve;
pub(crate) use rules::docker as docker_rules;

use crate::{Desired, Driver, Facts, Identity, Kind, NetworkSpec, Result};

/// Settings of a managed bridge. The defaults are those of a network made without any, except that
/// there are no addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BridgeSpec {
    /// IPv4; `None` for none.
    pub ipv4: Option<Ipv4Spec>,
    /// IPv6; `None` for none.
    pub ipv6: Option<Ipv6Spec>,
    /// MTU in bytes; 1500 if not set.
    pub mtu: Option<u32>,
    /// Hardware address; one that follows from machine, tag and name if not set.
    pub hwaddr: Option<MacAddr>,
    /// Links of this machine that join the bridge, if they exist.
    pub external_interfaces: Vec<String>,
    /// Names.
    pub dns: DnsSpec,
}

/// An address, or leave to pick one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address<N> {
    /// The one the bridge has, else a free one.
    Auto,
    /// This one.
    Fixed(N),
}

/// IPv4 of a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ipv4Spec {
    /// The bridge's address with its subnet.
    pub address: Address<Ipv4Net>,
    /// Translate guests' addresses to the machine's.
    pub nat: bool,
    /// Translate to this address instead of that of the outgoing link.
    pub nat_address: Option<Ipv4Addr>,
    /// Hand out addresses.
    pub dhcp: bool,
    /// From these ranges; empty means the whole subnet.
    pub ranges: Vec<Range<Ipv4Addr>>,
    /// For this long.
    pub expiry: Duration,
    /// With this router; the bridge if not set.
    pub gateway: Option<Ipv4Addr>,
    /// Put rules into the packet filter that let guests through.
    pub firewall: bool,
    /// Let guests through at all.
    pub routing: bool,
    /// More subnets that are routed to the bridge.
    pub routes: Vec<Ipv4Net>,
}

/// IPv6 of a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ipv6Spec {
    /// The bridge's address with its subnet.
    pub address: Address<Ipv6Net>,
    /// Translate guests' addresses to the machine's.
    pub nat: bool,
    /// Translate to this address instead of that of the outgoing link.
    pub nat_address: Option<Ipv6Addr>,
    /// Answer DHCPv6.
    pub dhcp: bool,
    /// Hand out addresses by it, too.
    pub stateful: bool,
    /// From these ranges; empty means the whole subnet.
    pub ranges: Vec<Range<Ipv6Addr>>,
    /// For this long.
    pub expiry: Duration,
    /// Put rules into the packet filter that let guests through.
    pub firewall: bool,
    /// Let guests through at all, and advertise the bridge as router.
    pub routing: bool,
    /// More subnets that are routed to the bridge.
    pub routes: Vec<Ipv6Net>,
}

/// Names on a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsSpec {
    /// Whose names are answered.
    pub mode: DnsMode,
    /// The domain of the bridge.
    pub domain: String,
    /// Search list told to guests; empty means the domain.
    pub search: Vec<String>,
    /// Lists the resolvers that other names are asked of.
    pub resolv_conf: PathBuf,
}

/// How long a lease lasts if nothing is said.
const EXPIRY: Duration = Duration::from_secs(3600);

impl Default for Ipv4Spec {
    fn default() -> Ipv4Spec {
        Ipv4Spec {
            address: Address::Auto,
            nat: false,
            nat_address: None,
            dhcp: true,
            ranges: Vec::new(),
            expiry: EXPIRY,
            gateway: None,
            firewall: true,
            routing: true,
            routes: Vec::new(),
        }
    }
}

impl Default for Ipv6Spec {
    fn default() -> Ipv6Spec {
        Ipv6Spec {
            address: Address::Auto,
            nat: false,
            nat_address: None,
            dhcp: true,
            stateful: false,
            ranges: Vec::new(),
            expiry: EXPIRY,
            firewall: true,
            routing: true,
            routes: Vec::new(),
        }
    }
}

impl Default for DnsSpec {
    fn default() -> DnsSpec {
        DnsSpec {
            mode: DnsMode::Managed,
            domain: "lxd".into(),
            search: Vec::new(),
            resolv_conf: "/etc/resolv.conf".into(),
        }
    }
}

/// The driver.
pub struct Bridge;

impl Driver for Bridge {
    fn name(&self) -> &'static str {
        "bridge"
    }

    fn plan(&self, tag: &str, spec: &NetworkSpec, facts: &Facts) -> Result<Desired> {
        let Kind::Bridge(bridge) = &spec.kind;
        plan::plan(tag, spec, bridge, facts)
    }

    fn identity(&self, tag: &str, spec: &NetworkSpec, facts: &Facts) -> Identity {
        let Kind::Bridge(bridge) = &spec.kind;
        plan::identity(tag, spec, bridge, facts)
    }
}

#[cfg(test)]
mod tests;
