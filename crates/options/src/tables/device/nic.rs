//! What network cards of every kind have.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::Nic;
use crate::{BitRate, Mac};

/// The addresses that a card may send from: its own hardware address, and of IP those listed;
/// `None` is any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NicFilters {
    /// IPv4 addresses and subnets.
    pub ipv4: Option<Vec<Ipv4Net>>,
    /// IPv6 addresses and subnets.
    pub ipv6: Option<Vec<Ipv6Net>>,
}

/// In which VLANs a card is: without a tag (`None` the bridge's usual one, `Some(None)` none), with tags, and whether
/// the bridge is a network of the server.
pub type NicVlans<'a> = (Option<Option<u16>>, &'a [(u16, u16)], bool);

/// How much goes over a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NicLimits {
    /// What the instance gets.
    pub ingress: Option<BitRate>,
    /// What it sends.
    pub egress: Option<BitRate>,
    /// The kernel's priority of what it sends.
    pub priority: Option<u32>,
}

impl Nic {
    /// The bridge it is on: that of a managed network, or one of the host.
    pub fn bridge(&self) -> Option<&str> {
        match self {
            Nic::Bridged(nic) => nic.network.as_deref().or(nic.parent.as_deref()),
            Nic::P2p(_) => None,
        }
    }

    /// The name of the interface inside, if it was given.
    pub fn name(&self) -> Option<&str> {
        let name = match self {
            Nic::Bridged(nic) => nic.name.as_ref(),
            Nic::P2p(nic) => nic.name.as_ref(),
        };
        name.map(|name| &**name)
    }

    /// The name of the link on the host, if it was given.
    pub fn host_name(&self) -> Option<&str> {
        let name = match self {
            Nic::Bridged(nic) => nic.host_name.as_ref(),
            Nic::P2p(nic) => nic.host_name.as_ref(),
        };
        name.map(|name| &**name)
    }

    /// The hardware address, if it was given.
    pub fn hwaddr(&self) -> Option<Mac> {
        match self {
            Nic::Bridged(nic) => nic.hwaddr,
            Nic::P2p(nic) => nic.hwaddr,
        }
    }

    /// Its place when a virtual machine boots, if it was given.
    pub fn boot_priority(&self) -> Option<u32> {
        match self {
            Nic::Bridged(nic) => nic.boot_priority,
            Nic::P2p(nic) => nic.boot_priority,
        }
    }

    /// The largest packet in bytes, if it was given.
    pub fn mtu(&self) -> Option<u32> {
        match self {
            Nic::Bridged(nic) => u32::try_from(nic.mtu?.get()).ok(),
            Nic::P2p(nic) => u32::try_from(nic.mtu?.get()).ok(),
        }
    }

    /// The length of the transmit queue, if it was given.
    pub fn queue_length(&self) -> Option<u32> {
        match self {
            Nic::Bridged(nic) => nic.queue_tx_length,
            Nic::P2p(nic) => nic.queue_tx_length,
        }
    }

    /// Whether it is kept from other such cards.
    pub fn isolated(&self) -> bool {
        matches!(self, Nic::Bridged(nic) if nic.security_port_isolation)
    }

    /// What it may send, as far as that is limited.
    pub fn filters(&self) -> Option<NicFilters> {
        let Nic::Bridged(nic) = self else { return None };
        let (ipv4, ipv6) = (nic.security_ipv4_filtering, nic.security_ipv6_filtering);
        let routes = self.routes();
        let v4 = routes.iter().filter_map(|net| match net {
            IpNet::V4(net) => Some(*net),
            IpNet::V6(_) => None,
        });
        let v6 = routes.iter().filter_map(|net| match net {
            IpNet::V6(net) => Some(*net),
            IpNet::V4(_) => None,
        });
        (nic.security_mac_filtering || ipv4 || ipv6).then(|| NicFilters {
            ipv4: ipv4.then(|| self.ipv4().map(Ipv4Net::from).into_iter().chain(v4).collect()),
            ipv6: ipv6.then(|| self.ipv6().map(Ipv6Net::from).into_iter().chain(v6).collect()),
        })
    }

    /// In which VLANs of its bridge it is, if the options say.
    pub fn vlans(&self) -> Option<NicVlans<'_>> {
        let Nic::Bridged(nic) = self else { return None };
        let untagged = nic
            .vlan
            .as_ref()
            .map(|vlan| vlan.value().map(|id| u16::try_from(id.get()).unwrap_or_default()));
        let tagged = nic.vlan_tagged.as_ref().map_or(&[][..], |vlans| &vlans.0);
        let said = untagged.is_some() || !tagged.is_empty();
        said.then_some((untagged, tagged, nic.network.is_some()))
    }

    /// Subnets that are sent to it.
    pub fn routes(&self) -> Vec<IpNet> {
        let (v4, v6) = match self {
            Nic::Bridged(nic) => (&nic.ipv4_routes, &nic.ipv6_routes),
            Nic::P2p(nic) => (&nic.ipv4_routes, &nic.ipv6_routes),
        };
        let v4 = v4.iter().flat_map(|list| list.iter()).map(|net| IpNet::V4(net.trunc()));
        let v6 = v6.iter().flat_map(|list| list.iter()).map(|net| IpNet::V6(net.trunc()));
        v4.chain(v6).collect()
    }

    /// How much goes over it, as far as that is limited.
    pub fn limits(&self) -> Option<NicLimits> {
        let (ingress, egress, max, priority) = match self {
            Nic::Bridged(it) => {
                (it.limits_ingress, it.limits_egress, it.limits_max, it.limits_priority)
            }
            Nic::P2p(it) => {
                (it.limits_ingress, it.limits_egress, it.limits_max, it.limits_priority)
            }
        };
        let limits = NicLimits { ingress: max.or(ingress), egress: max.or(egress), priority };
        let any = limits.ingress.is_some() || limits.egress.is_some() || priority.is_some();
        any.then_some(limits)
    }

    /// The IPv4 address that DHCP gives it.
    pub fn ipv4(&self) -> Option<Ipv4Addr> {
        match self {
            Nic::Bridged(nic) => nic.ipv4_address.as_ref()?.value().copied(),
            Nic::P2p(_) => None,
        }
    }

    /// The IPv6 address that DHCP gives it.
    pub fn ipv6(&self) -> Option<Ipv6Addr> {
        match self {
            Nic::Bridged(nic) => nic.ipv6_address.as_ref()?.value().copied(),
            Nic::P2p(_) => None,
        }
    }
}
