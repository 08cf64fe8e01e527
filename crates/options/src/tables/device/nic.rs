//! What network cards of every kind have.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::Nic;
use crate::{BitRate, Mac};

/// The addresses that a card may send from: its own hardware address, and of IP those listed;
/// `None` is any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NicFilters {
    /// IPv4 addresses.
    pub ipv4: Option<Vec<Ipv4Addr>>,
    /// IPv6 addresses.
    pub ipv6: Option<Vec<Ipv6Addr>>,
}

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
        (nic.security_mac_filtering || ipv4 || ipv6).then(|| NicFilters {
            ipv4: ipv4.then(|| self.ipv4().into_iter().collect()),
            ipv6: ipv6.then(|| self.ipv6().into_iter().collect()),
        })
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
