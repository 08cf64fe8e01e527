//! Network cards with only the host at the other end.

use ipnet::{Ipv4Net, Ipv6Net};

use super::nic_bridged::Mtu;
use crate::{BitRate, InterfaceName, List, Mac, Options, Problem};

/// Options of a network card with only the host at the other end.
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "device-nic-p2p", group = "device-conf", check = Self::consistent)]
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
    /// IPv4 subnets that the host routes to the card.
    #[option(key = "ipv4.routes")]
    pub ipv4_routes: Option<List<Ipv4Net>>,
    /// IPv6 subnets that the host routes to the card.
    #[option(key = "ipv6.routes")]
    pub ipv6_routes: Option<List<Ipv6Net>>,
    /// Most traffic out of the instance.
    #[option(key = "limits.egress", default_text = "no limit")]
    pub limits_egress: Option<BitRate>,
    /// Most traffic into the instance.
    #[option(key = "limits.ingress", default_text = "no limit")]
    pub limits_ingress: Option<BitRate>,
    /// Most traffic in both directions, each by itself.
    #[option(key = "limits.max", default_text = "no limit")]
    pub limits_max: Option<BitRate>,
}

impl NicP2p {
    fn consistent(&self) -> Vec<Problem> {
        let both =
            self.limits_max.is_some() && self.limits_egress.or(self.limits_ingress).is_some();
        let sentence = "cannot be set together with limits.egress and limits.ingress";
        both.then(|| Problem::conflict("limits.max", sentence)).into_iter().collect()
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
