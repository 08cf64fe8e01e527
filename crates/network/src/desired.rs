//! What should exist, and what does: the two sides of a comparison.

use std::collections::BTreeMap;

use ipnet::IpNet;
use leases::{MacAddr, ServiceConfig};
use serde_json::Value;

use crate::{Facts, Family, ForeignRule, LinkFact, Warning};

/// Everything one network needs on this machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// The link.
    pub link: Link,
    /// Links that are to be its ports, instances' aside.
    pub ports: Vec<String>,
    /// All its addresses.
    pub addresses: Vec<IpNet>,
    /// Subnets routed to it.
    pub routes: Vec<IpNet>,
    /// Kernel settings, in the order in which they are to be written.
    pub sysctls: Vec<Sysctl>,
    /// Its table of rules.
    pub table: Table,
    /// Families in which rules must stand in Docker's chain.
    pub docker: Vec<Family>,
    /// The servers on it; the index is filled in when the link exists.
    pub service: ServiceConfig,
    /// What the operator should know.
    pub warnings: Vec<Warning>,
}

/// A link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Name.
    pub name: String,
    /// Hardware address.
    pub hwaddr: MacAddr,
    /// MTU in bytes.
    pub mtu: u32,
    /// Says whose link it is.
    pub alias: String,
}

/// A file under /proc/sys and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sysctl {
    /// Such as `net/ipv4/ip_forward`.
    pub path: String,
    /// One number.
    pub value: String,
}

/// An nft table, whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Its name, in family inet.
    pub name: String,
    /// Name of the empty chain that says which plan it is of.
    pub marker: String,
    /// Number of its rules.
    pub rules: usize,
    /// The transaction that puts it in place of what is there.
    pub document: Value,
    /// Whether it holds a chain for address translation.
    pub nat: bool,
}

/// What exists of a network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// The link, if there.
    pub link: Option<ObservedLink>,
    /// Names of all links that are its ports.
    pub ports: Vec<String>,
    /// Its addresses.
    pub addresses: Vec<IpNet>,
    /// Static routes to it.
    pub routes: Vec<IpNet>,
    /// Values of the wanted settings; absent ones could not be read.
    pub sysctls: BTreeMap<String, String>,
    /// Marker and number of rules of the table, if there.
    pub table: Option<(Option<String>, usize)>,
    /// Our rules in Docker's chain.
    pub foreign: Vec<ForeignRule>,
}

/// The link as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedLink {
    /// Kernel index.
    pub index: u32,
    /// Driver.
    pub kind: String,
    /// Hardware address.
    pub hwaddr: Option<MacAddr>,
    /// MTU in bytes.
    pub mtu: u32,
    /// Set up.
    pub up: bool,
    /// Whose it is.
    pub alias: String,
}

impl Observed {
    /// Picks what concerns one network out of the facts.
    pub fn of(desired: &Desired, facts: &Facts, sysctls: BTreeMap<String, String>) -> Observed {
        let link = facts.link(&desired.link.name);
        let index = link.map(|link| link.index);
        let ports = facts.links.iter().filter(|port| index.is_some() && port.master == index);
        let routes = facts.routes.iter().filter(|r| r.fixed && index.is_some() && r.link == index);
        let table = facts.firewall.tables.iter().find(|own| own.name == desired.table.name);
        let foreign = facts.firewall.foreign.iter();
        Observed {
            ports: ports.map(|port| port.name.clone()).collect(),
            addresses: link.map(|link| link.addresses.clone()).unwrap_or_default(),
            routes: routes.map(|route| route.net).collect(),
            link: link.map(ObservedLink::from),
            sysctls,
            table: table.map(|own| (own.marker.clone(), own.rules)),
            foreign: foreign.filter(|rule| rule.comment == desired.table.name).cloned().collect(),
        }
    }
}

impl From<&LinkFact> for ObservedLink {
    fn from(link: &LinkFact) -> ObservedLink {
        ObservedLink {
            index: link.index,
            kind: link.kind.clone(),
            hwaddr: link.hwaddr,
            mtu: link.mtu,
            up: link.up,
            alias: link.alias.clone(),
        }
    }
}
