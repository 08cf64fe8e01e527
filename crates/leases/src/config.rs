//! What a service is told about its bridge: plain typed data, made by the network's plan.

use std::{net::Ipv4Addr, path::PathBuf, time::Duration};

use ipnet::{Ipv4Net, Ipv6Net};

use crate::{MacAddr, Range};

/// Everything one bridge's servers need to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceConfig {
    /// Name of the bridge.
    pub interface: String,
    /// Its kernel index: when the bridge was made anew, the sockets must be too.
    pub index: u32,
    /// Its hardware address.
    pub hwaddr: MacAddr,
    /// Told to guests by DHCP and router advertisements.
    pub mtu: u32,
    /// The folder of the network; the journal is `leases` in it.
    pub state_dir: PathBuf,
    /// IPv4 on this bridge, if any.
    pub ipv4: Option<Ipv4>,
    /// IPv6 on this bridge, if any.
    pub ipv6: Option<Ipv6>,
    /// Names.
    pub dns: Dns,
}

/// IPv4 of a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ipv4 {
    /// The bridge's own address and subnet.
    pub address: Ipv4Net,
    /// Whether and how addresses are handed out.
    pub dhcp: Option<Dhcp4>,
}

/// DHCPv4 settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dhcp4 {
    /// Addresses to hand out; empty means the whole subnet.
    pub ranges: Vec<Range<Ipv4Addr>>,
    /// How long a lease lasts.
    pub expiry: Duration,
    /// Router told to guests; `None` means none is told.
    pub gateway: Option<Ipv4Addr>,
}

/// IPv6 of a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ipv6 {
    /// The bridge's own address and subnet.
    pub address: Ipv6Net,
    /// Whether guests may route through the bridge (the advertised router lifetime).
    pub routing: bool,
    /// `None`: guests get addresses by autoconfiguration and names by advertisement only.
    pub dhcp: Option<Dhcp6>,
}

/// DHCPv6 settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dhcp6 {
    /// Hand out addresses too, not only DNS settings; autoconfiguration is then off.
    pub stateful: bool,
    /// Addresses to hand out; empty means the whole subnet.
    pub ranges: Vec<Range<std::net::Ipv6Addr>>,
    /// How long a lease lasts.
    pub expiry: Duration,
}

/// DNS settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dns {
    /// Which names are answered.
    pub mode: DnsMode,
    /// The bridge's own domain, without dots at its ends.
    pub domain: String,
    /// Search list told to guests; empty means the own domain.
    pub search: Vec<String>,
    /// Where the host's resolvers are listed, `/etc/resolv.conf`.
    pub resolv_conf: PathBuf,
}

/// Which names of the own domain have records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DnsMode {
    /// None at all.
    None,
    /// Those of known instances.
    Managed,
    /// Those of known instances, then those that DHCP clients ask for.
    Dynamic,
}

impl ServiceConfig {
    /// Whether addresses in the IPv6 subnet are handed out by DHCPv6.
    pub fn stateful6(&self) -> bool {
        self.ipv6.as_ref().and_then(|v6| v6.dhcp.as_ref()).is_some_and(|dhcp| dhcp.stateful)
    }

    /// Whether guests form their own IPv6 addresses; that takes a /64 (RFC 4862, 5.5.3).
    pub fn autoconf6(&self) -> bool {
        self.ipv6.as_ref().is_some_and(|v6| v6.address.prefix_len() == 64) && !self.stateful6()
    }

    /// The search list told to guests.
    pub fn search(&self) -> Vec<String> {
        if self.dns.search.is_empty() && !self.dns.domain.is_empty() {
            return vec![self.dns.domain.clone()];
        }
        self.dns.search.clone()
    }
}
