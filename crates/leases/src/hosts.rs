//! The instances known to the cloud on this bridge, as the operator named them.
//!
//! Names come from here by hardware address, never from what a guest says of itself.

use std::{
    collections::{HashMap, HashSet},
    net::{Ipv4Addr, Ipv6Addr},
};

use crate::MacAddr;

/// One port of an instance on this bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// The instance's name.
    pub name: String,
    /// The port's hardware address.
    pub hwaddr: MacAddr,
    /// Address fixed by the operator.
    pub ipv4: Option<Ipv4Addr>,
    /// Address fixed by the operator.
    pub ipv6: Option<Ipv6Addr>,
}

/// All known ports, with the look-ups the servers need.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    list: Vec<Host>,
    by_mac: HashMap<MacAddr, usize>,
    by_name: HashMap<String, Vec<usize>>,
    reserved4: HashMap<Ipv4Addr, MacAddr>,
    reserved6: HashMap<Ipv6Addr, MacAddr>,
}

impl Hosts {
    /// Of two ports with the same hardware address or fixed address, the first counts.
    pub fn new(list: Vec<Host>) -> Hosts {
        let mut hosts = Hosts::default();
        let mut seen = HashSet::new();
        for host in list.into_iter().filter(|host| seen.insert(host.hwaddr)) {
            let at = hosts.list.len();
            hosts.by_mac.insert(host.hwaddr, at);
            hosts.by_name.entry(host.name.to_ascii_lowercase()).or_default().push(at);
            if let Some(address) = host.ipv4 {
                hosts.reserved4.entry(address).or_insert(host.hwaddr);
            }
            if let Some(address) = host.ipv6 {
                hosts.reserved6.entry(address).or_insert(host.hwaddr);
            }
            hosts.list.push(host);
        }
        hosts
    }

    /// The port with this hardware address.
    pub fn by_mac(&self, mac: MacAddr) -> Option<&Host> {
        Some(&self.list[*self.by_mac.get(&mac)?])
    }

    /// All ports of the instance with this name, in any case.
    pub fn by_name(&self, name: &str) -> impl Iterator<Item = &Host> {
        let at = self.by_name.get(&name.to_ascii_lowercase()).map_or(&[][..], Vec::as_slice);
        at.iter().map(|at| &self.list[*at])
    }

    /// Whether an instance has this name.
    pub fn named(&self, name: &str) -> bool {
        self.by_name.contains_key(&name.to_ascii_lowercase())
    }

    /// Whose fixed address this is.
    pub fn owner4(&self, address: Ipv4Addr) -> Option<MacAddr> {
        self.reserved4.get(&address).copied()
    }

    /// Whose fixed address this is.
    pub fn owner6(&self, address: Ipv6Addr) -> Option<MacAddr> {
        self.reserved6.get(&address).copied()
    }

    /// Every port.
    pub fn iter(&self) -> impl Iterator<Item = &Host> {
        self.list.iter()
    }
}
