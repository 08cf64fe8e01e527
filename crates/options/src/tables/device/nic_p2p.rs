//! Network cards with only the host at the other end.

use ipnet::{Ipv4Net, Ipv6Net};

use super::nic_bridged::Mtu;
use crate::{BitRate, InterfaceName, List, Mac, Options};

/// Options of a network card with only the host at the other end.
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "device-nic-p2p", group = "device-conf")]
pub struct NicP2p {
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
    #[option(key = "mtu", default_text = "1500")]
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
    /// IPv4 subnets that are sent to the card.
    #[option(key = "ipv4.routes")]
    pub ipv4_routes: Option<List<Ipv4Net>>,
    /// IPv6 subnets that are sent to the card.
    #[option(key = "ipv6.routes")]
    pub ipv6_routes: Option<List<Ipv6Net>>,
}
