//! What this machine has, as far as plans need it.

use ipnet::IpNet;
use leases::MacAddr;

use crate::Firewall;

/// A snapshot of the machine, or of the network namespace the daemon lives in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Keeps generated hardware addresses of two machines apart.
    pub machine_id: String,
    /// All links.
    pub links: Vec<LinkFact>,
    /// All routed subnets but the default routes, with the link they lead to.
    pub routes: Vec<RouteFact>,
    /// Links that take router advertisements now (`accept_ra` is 1), by name.
    pub accepting_ra: Vec<String>,
    /// Whether the kernel speaks IPv6.
    pub ipv6: bool,
    /// What other programs' packet filters do.
    pub firewall: Firewall,
}

/// One link.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkFact {
    /// Kernel index.
    pub index: u32,
    /// Name.
    pub name: String,
    /// Driver, such as "bridge" or "veth"; empty for hardware.
    pub kind: String,
    /// Hardware address, if it has one of six bytes.
    pub hwaddr: Option<MacAddr>,
    /// MTU in bytes.
    pub mtu: u32,
    /// Set up.
    pub up: bool,
    /// Index of the bridge or bond it is a port of.
    pub master: Option<u32>,
    /// Alias: where ownership is written.
    pub alias: String,
    /// Addresses with their subnets.
    pub addresses: Vec<IpNet>,
}

/// A routed subnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteFact {
    /// Destination.
    pub net: IpNet,
    /// Outgoing link, if there is one.
    pub link: Option<u32>,
    /// Made by an administrator or a program, not by the kernel.
    pub fixed: bool,
}

impl Facts {
    /// The link of this name.
    pub fn link(&self, name: &str) -> Option<&LinkFact> {
        self.links.iter().find(|link| link.name == name)
    }

    /// Whether any address or route but those of `except` (a link) overlaps the subnet.
    pub fn overlaps(&self, net: IpNet, except: Option<&str>) -> bool {
        let skip = except.and_then(|name| self.link(name)).map(|link| link.index);
        let links = self.links.iter().filter(|link| Some(link.index) != skip);
        let routes = self.routes.iter().filter(|route| skip.is_none() || route.link != skip);
        links.flat_map(|link| &link.addresses).any(|other| meet(net, *other))
            || routes.filter(|route| route.net.prefix_len() > 0).any(|route| meet(net, route.net))
    }
}

/// Two subnets overlap when one holds the other.
pub(crate) fn meet(a: IpNet, b: IpNet) -> bool {
    a.contains(&b.network()) || b.contains(&a.network())
}
