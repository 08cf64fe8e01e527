//! Network cards on a bridge.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

use crate::{
    BitRate, Bounded, InterfaceName, List, Mac, Options, OrNone, Problem,
    values::{Vlan, Vlans},
};

/// Options of a network card on a bridge: a network of the server (`network`), or a bridge of the
/// host (`parent`).
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "device-nic-bridged", group = "device-conf", check = Self::consistent)]
pub struct NicBridged {
    /// Network of the server that the card is on.
    #[option(key = "network", since = "instance_nic_network")]
    pub network: Option<String>,
    /// Bridge of the host that the card is on.
    #[option(key = "parent", condition = "no network given")]
    pub parent: Option<InterfaceName>,
    /// Name of the interface in the instance.
    #[option(key = "name", default_text = "picked by the server")]
    pub name: Option<InterfaceName>,
    /// Name of the link on the host.
    #[option(key = "host_name", default_text = "picked by the server")]
    pub host_name: Option<InterfaceName>,
    /// Hardware address.
    #[option(key = "hwaddr", default_text = "picked by the server")]
    pub hwaddr: Option<Mac>,
    /// Largest packet in bytes.
    #[option(key = "mtu", default_text = "that of the bridge")]
    pub mtu: Option<Mtu>,
    /// Packets that may wait to be sent.
    #[option(key = "queue.tx.length")]
    pub queue_tx_length: Option<u32>,
    /// Order in which a virtual machine tries to boot.
    #[option(key = "boot.priority", condition = "virtual machine")]
    pub boot_priority: Option<u32>,
    /// Bits per second that the instance gets.
    #[option(key = "limits.ingress")]
    pub limits_ingress: Option<BitRate>,
    /// Bits per second that the instance sends.
    #[option(key = "limits.egress")]
    pub limits_egress: Option<BitRate>,
    /// Bits per second both ways, each as fast; in place of the other two.
    #[option(key = "limits.max")]
    pub limits_max: Option<BitRate>,
    /// The kernel's priority of what the instance sends, for queues that know some.
    #[option(key = "limits.priority")]
    pub limits_priority: Option<u32>,

    /// IPv4 address that DHCP gives the card.
    #[option(key = "ipv4.address", since = "network")]
    pub ipv4_address: Option<OrNone<Ipv4Addr>>,
    /// IPv6 address that DHCP gives the card.
    #[option(key = "ipv6.address", since = "network")]
    pub ipv6_address: Option<OrNone<Ipv6Addr>>,
    /// IPv4 subnets that are sent to the card.
    #[option(key = "ipv4.routes")]
    pub ipv4_routes: Option<List<Ipv4Net>>,
    /// IPv6 subnets that are sent to the card.
    #[option(key = "ipv6.routes")]
    pub ipv6_routes: Option<List<Ipv6Net>>,
    /// VLAN that the card is in without a tag, or `none`.
    ///
    /// A network of the server tells VLANs apart from then on; a bridge of the host has to already
    /// (`vlan_filtering`).
    #[option(key = "vlan", default_text = "that of the bridge")]
    pub vlan: Option<OrNone<Vlan>>,
    /// VLANs that the card is in with a tag, also as ranges.
    #[option(key = "vlan.tagged")]
    pub vlan_tagged: Option<Vlans>,
    /// Whether the card is kept from other isolated cards on the bridge.
    #[option(key = "security.port_isolation", default = "false")]
    pub security_port_isolation: bool,
    /// Whether the card may send from its own hardware address only.
    #[option(key = "security.mac_filtering", default = "false")]
    pub security_mac_filtering: bool,
    /// Whether the card may send from its `ipv4.address` only.
    ///
    /// With the address `none` it may send no IPv4 at all. Implies `security.mac_filtering`.
    #[option(key = "security.ipv4_filtering", default = "false")]
    pub security_ipv4_filtering: bool,
    /// Whether the card may send from its `ipv6.address` only.
    ///
    /// With the address `none` it may send no IPv6 but that of the link itself. Implies
    /// `security.mac_filtering`.
    #[option(key = "security.ipv6_filtering", default = "false")]
    pub security_ipv6_filtering: bool,
}

/// Largest packet of a link in bytes; IPv4 wants at least 68 (RFC 791), and no link takes more than
/// 65535.
pub type Mtu = Bounded<68, 65535>;

impl NicBridged {
    fn consistent(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        match (&self.network, &self.parent) {
            (None, None) => problems.push(Problem::missing("parent", "a bridge of the host")),
            (Some(_), Some(_)) => {
                problems.push(Problem::conflict("parent", "cannot be set together with network"));
            }
            _ => {}
        }
        let needs = "the address it may send from, or none, as security filters by it";
        if self.security_ipv4_filtering && self.ipv4_address.is_none() {
            problems.push(Problem::missing("ipv4.address", needs));
        }
        if self.security_ipv6_filtering && self.ipv6_address.is_none() {
            problems.push(Problem::missing("ipv6.address", needs));
        }
        problems
    }
}
