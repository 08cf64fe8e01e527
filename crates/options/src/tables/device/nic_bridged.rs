//! Network cards on a bridge.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

use crate::{BitRate, Bounded, InterfaceName, List, Mac, Options, OrNone, Problem};

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

    /// IPv4 address that DHCP gives the card.
    ///
    /// `none` lets no IPv4 through when `security.ipv4_filtering` is on.
    #[option(key = "ipv4.address", since = "network")]
    pub ipv4_address: Option<OrNone<Ipv4Addr>>,
    /// IPv4 subnets that the host routes to the card.
    #[option(key = "ipv4.routes")]
    pub ipv4_routes: Option<List<Ipv4Net>>,
    /// IPv4 subnets routed to the card and announced by the uplink.
    #[option(key = "ipv4.routes.external")]
    pub ipv4_routes_external: Option<List<Ipv4Net>>,
    /// IPv6 address that DHCP gives the card.
    ///
    /// `none` lets no IPv6 through when `security.ipv6_filtering` is on.
    #[option(key = "ipv6.address", since = "network")]
    pub ipv6_address: Option<OrNone<Ipv6Addr>>,
    /// IPv6 subnets that the host routes to the card.
    #[option(key = "ipv6.routes")]
    pub ipv6_routes: Option<List<Ipv6Net>>,
    /// IPv6 subnets routed to the card and announced by the uplink.
    #[option(key = "ipv6.routes.external")]
    pub ipv6_routes_external: Option<List<Ipv6Net>>,

    /// Most traffic out of the instance.
    #[option(key = "limits.egress", default_text = "no limit")]
    pub limits_egress: Option<BitRate>,
    /// Most traffic into the instance.
    #[option(key = "limits.ingress", default_text = "no limit")]
    pub limits_ingress: Option<BitRate>,
    /// Most traffic in both directions, each by itself.
    #[option(key = "limits.max", default_text = "no limit")]
    pub limits_max: Option<BitRate>,

    /// Whether the instance may use only its own IPv4 address.
    #[option(key = "security.ipv4_filtering", default = "false")]
    pub security_ipv4_filtering: bool,
    /// Whether the instance may use only its own IPv6 address.
    #[option(key = "security.ipv6_filtering", default = "false")]
    pub security_ipv6_filtering: bool,
    /// Whether the instance may use only its own hardware address.
    #[option(key = "security.mac_filtering", default = "false")]
    pub security_mac_filtering: bool,
    /// Whether the card is kept from other isolated cards on the bridge.
    #[option(key = "security.port_isolation", default = "false")]
    pub security_port_isolation: bool,

    /// VLAN that untagged traffic of the card is in.
    ///
    /// `none` takes the card out of the bridge's default VLAN.
    #[option(key = "vlan", since = "instance_nic_bridged_vlan")]
    pub vlan: Option<OrNone<Vlan>>,
    /// VLANs that the card may send and receive with tags.
    #[option(key = "vlan.tagged", since = "instance_nic_bridged_vlan")]
    pub vlan_tagged: Option<List<Vlan>>,
}

/// Number of a VLAN.
pub type Vlan = Bounded<1, 4094>;
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
        if self.limits_max.is_some() && (self.limits_egress.or(self.limits_ingress)).is_some() {
            let sentence = "cannot be set together with limits.egress and limits.ingress";
            problems.push(Problem::conflict("limits.max", sentence));
        }
        problems
    }

    /// The limit out of the instance, by its own or the common key.
    pub fn egress(&self) -> Option<BitRate> {
        self.limits_egress.or(self.limits_max)
    }

    /// The limit into the instance, by its own or the common key.
    pub fn ingress(&self) -> Option<BitRate> {
        self.limits_ingress.or(self.limits_max)
    }
}
