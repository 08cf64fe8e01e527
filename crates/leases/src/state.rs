//! What the state machines share: configuration, known hosts and the lease table.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::OnceLock,
    time::{Duration, Instant, UNIX_EPOCH},
};

use crate::{
    Host, Hosts, Lease, LeaseKind, MacAddr, ServiceConfig, Table,
    pool::{self, Pool},
    table::{Binding, Client},
};

/// Addresses that guests were seen to have formed themselves, at most.
const MAX_SEEN: usize = 4096;

/// The state of one bridge's servers. Times are Unix seconds.
#[derive(Debug)]
pub struct State {
    /// As the network planned it.
    pub config: ServiceConfig,
    /// Known instances.
    pub hosts: Hosts,
    /// Who has which address.
    pub table: Table,
    pub(crate) pool4: Pool,
    pub(crate) pool6: Pool,
    /// Autoconfigured addresses that answered.
    seen: HashMap<Ipv6Addr, MacAddr>,
}

impl State {
    /// A state around a restored table.
    pub fn new(config: ServiceConfig, hosts: Hosts, table: Table) -> State {
        let (pool4, pool6) = pools(&config);
        State { config, hosts, table, pool4, pool6, seen: HashMap::new() }
    }

    /// Takes a new configuration; bindings outside of it stay remembered but are not renewed.
    pub fn configure(&mut self, config: ServiceConfig) {
        (self.pool4, self.pool6) = pools(&config);
        self.config = config;
    }

    /// The operator's fixed address for this hardware address, if it lies in the subnet.
    pub(crate) fn fixed4(&self, mac: MacAddr) -> Option<Ipv4Addr> {
        let address = self.hosts.by_mac(mac)?.ipv4?;
        let net = self.config.ipv4.as_ref()?.address;
        (net.contains(&address) && self.hosts.owner4(address) == Some(mac)).then_some(address)
    }

    /// The same for IPv6.
    pub(crate) fn fixed6(&self, mac: MacAddr) -> Option<Ipv6Addr> {
        let address = self.hosts.by_mac(mac)?.ipv6?;
        let net = self.config.ipv6.as_ref()?.address;
        (net.contains(&address) && self.hosts.owner6(address) == Some(mac)).then_some(address)
    }

    /// Whether an address is spoken for: the bridge's own, the told router, or fixed for a host.
    pub(crate) fn kept(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => {
                let own = self.config.ipv4.as_ref().is_some_and(|config| {
                    let gateway = config.dhcp.as_ref().and_then(|dhcp| dhcp.gateway);
                    config.address.addr() == v4 || gateway == Some(v4)
                });
                own || self.hosts.owner4(v4).is_some()
            }
            IpAddr::V6(v6) => {
                let own = self.config.ipv6.as_ref().is_some_and(|c| c.address.addr() == v6);
                own || self.hosts.owner6(v6).is_some()
            }
        }
    }

    /// The order in which a client tries a pool.
    pub(crate) fn seed(client: &Client) -> u64 {
        match client {
            Client::Mac(mac) => pool::seed(&mac.0),
            Client::Duid(duid, association) => {
                pool::seed(&[duid.as_slice(), &association.to_be_bytes()].concat())
            }
        }
    }

    /// A guest answered at the address it formed from its hardware address.
    pub fn saw(&mut self, mac: MacAddr, address: Ipv6Addr) {
        if self.seen.len() < MAX_SEEN || self.seen.contains_key(&address) {
            self.seen.insert(address, mac);
        }
    }

    /// Takes the known instances. Leases of those that are known no more end; should one come back,
    /// so does its address.
    pub fn set_hosts(&mut self, hosts: Hosts, now: u64) {
        self.seen.retain(|_, mac| hosts.by_mac(*mac).is_some());
        let gone = self.hosts.iter().filter(|host| hosts.by_mac(host.hwaddr).is_none());
        for client in gone.map(|host| Client::Mac(host.hwaddr)) {
            for v6 in [false, true] {
                if let Some(address) = self.table.of(&client, v6).map(|b| b.address) {
                    self.table.release(address, &client, now);
                }
            }
        }
        self.hosts = hosts;
    }

    /// Whether an address belongs to a subnet of the bridge.
    pub(crate) fn ours(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => {
                self.config.ipv4.as_ref().is_some_and(|config| config.address.contains(&v4))
            }
            IpAddr::V6(v6) => {
                self.config.ipv6.as_ref().is_some_and(|config| config.address.contains(&v6))
            }
        }
    }

    /// The name that belongs to a client: the instance's, else what it calls itself as
    /// long as that is no instance's.
    pub(crate) fn name_of<'a>(&'a self, binding: &'a Binding) -> Option<&'a str> {
        let known = match &binding.client {
            Client::Mac(mac) => self.hosts.by_mac(*mac),
            Client::Duid(..) => None,
        };
        let own = binding.hostname.as_deref().filter(|name| !self.hosts.named(name));
        known.map(|host| host.name.as_str()).or(own)
    }

    /// Addresses of a port: fixed, leased, and formed by itself.
    pub(crate) fn addresses(&self, host: &Host, now: u64) -> Vec<IpAddr> {
        let client = Client::Mac(host.hwaddr);
        let leased = |v6| {
            let binding = self.table.of(&client, v6).filter(|binding| binding.expires > now);
            binding.map(|binding| binding.address).filter(|address| self.ours(*address))
        };
        let v4 = self.fixed4(host.hwaddr).map(IpAddr::V4).or_else(|| leased(false));
        let v6 = self.fixed6(host.hwaddr).map(IpAddr::V6).or_else(|| leased(true));
        v4.into_iter().chain(v6).chain(self.formed(host.hwaddr)).collect()
    }

    fn formed(&self, mac: MacAddr) -> Option<IpAddr> {
        let v6 = self.config.ipv6.as_ref().filter(|_| self.config.autoconf6())?;
        let address = mac.in_prefix(v6.address);
        self.seen.contains_key(&address).then_some(IpAddr::V6(address))
    }

    /// Everything in use, as it is shown to the outside.
    pub fn leases(&self, now: u64) -> Vec<Lease> {
        let mut out: Vec<Lease> = self.gateways().collect();
        for host in self.hosts.iter() {
            let fixed = [
                self.fixed4(host.hwaddr).map(IpAddr::V4),
                self.fixed6(host.hwaddr).map(IpAddr::V6),
            ];
            out.extend(fixed.into_iter().flatten().map(|a| port(host, a, LeaseKind::Static)));
            out.extend(self.formed(host.hwaddr).map(|a| port(host, a, LeaseKind::Dynamic)));
        }
        let shown = |address| self.ours(address) && !self.kept(address);
        let dynamic = self.table.active(now).filter(|binding| shown(binding.address));
        out.extend(dynamic.map(|binding| self.shown(binding)));
        out
    }

    fn gateways(&self) -> impl Iterator<Item = Lease> {
        let v4 = self.config.ipv4.as_ref().map(|v4| IpAddr::V4(v4.address.addr()));
        let v6 = self.config.ipv6.as_ref().map(|v6| IpAddr::V6(v6.address.addr()));
        v4.into_iter().chain(v6).map(|address| Lease {
            hostname: format!("{}.gw", self.config.interface),
            hwaddr: Some(self.config.hwaddr),
            address,
            kind: LeaseKind::Gateway,
            expires: None,
        })
    }

    fn shown(&self, binding: &Binding) -> Lease {
        let hwaddr = match binding.client {
            Client::Mac(mac) => Some(mac),
            Client::Duid(..) => None,
        };
        Lease {
            hostname: self.name_of(binding).unwrap_or_default().to_owned(),
            hwaddr,
            address: binding.address,
            kind: LeaseKind::Dynamic,
            expires: UNIX_EPOCH.checked_add(Duration::from_secs(binding.expires)),
        }
    }
}

fn pools(config: &ServiceConfig) -> (Pool, Pool) {
    let v4 = config.ipv4.as_ref().and_then(|v4| Some((v4.address, v4.dhcp.as_ref()?)));
    let v6 = config.ipv6.as_ref().and_then(|v6| Some((v6.address, v6.dhcp.as_ref()?)));
    (
        v4.map(|(net, dhcp)| Pool::v4(net, &dhcp.ranges)).unwrap_or_default(),
        v6.map(|(net, dhcp)| Pool::v6(net, &dhcp.ranges)).unwrap_or_default(),
    )
}

fn port(host: &Host, address: IpAddr, kind: LeaseKind) -> Lease {
    let hostname = host.name.clone();
    Lease { hostname, hwaddr: Some(host.hwaddr), address, kind, expires: None }
}

/// Now, in Unix seconds as they were when this process began: a clock that jumps ends no lease, as guests count the
/// seconds of theirs.
pub(crate) fn unix_now() -> u64 {
    static BEGUN: OnceLock<(Duration, Instant)> = OnceLock::new();
    let (since_1970, begun) = BEGUN.get_or_init(|| (clock::since_1970(), Instant::now()));
    (*since_1970 + begun.elapsed()).as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dhcp4::tests::config;

    const MAC: MacAddr = MacAddr([0, 0x16, 0x3e, 0, 0, 1]);

    fn state() -> State {
        let host = Host { name: "web".into(), hwaddr: MAC, ipv4: None, ipv6: None };
        let mut state = State::new(config(), Hosts::new(vec![host]), Table::default());
        let address = [10, 1, 2, 9].into();
        let client = Client::Mac(MAC);
        state.table.bind(Binding { address, client, expires: 100, hostname: None }, 0);
        state
    }

    #[test]
    fn a_clock_that_jumps_ends_no_lease() {
        let before = unix_now();
        clock::set_ahead(24 * 60 * 60);
        let ahead = unix_now();
        clock::set_ahead(0);
        assert!(ahead - before < 60, "{before} {ahead}");
    }

    fn dynamic(state: &State) -> Vec<IpAddr> {
        let leases = state.leases(50).into_iter();
        leases.filter(|lease| lease.kind == LeaseKind::Dynamic).map(|lease| lease.address).collect()
    }

    #[test]
    fn the_lease_of_a_deleted_instance_ends_and_is_remembered() {
        let mut state = state();
        assert_eq!(dynamic(&state), [IpAddr::from([10, 1, 2, 9])]);
        state.set_hosts(Hosts::default(), 50);
        assert_eq!(dynamic(&state), [] as [IpAddr; 0]);
        assert!(state.table.of(&Client::Mac(MAC), false).is_some());
    }

    #[test]
    fn leases_of_an_earlier_subnet_are_not_shown_or_resolved() {
        let mut state = state();
        let mut config = config();
        config.ipv4.as_mut().unwrap().address = "10.9.9.1/24".parse().unwrap();
        state.configure(config);
        assert_eq!(dynamic(&state), [] as [IpAddr; 0]);
        let host = state.hosts.by_mac(MAC).unwrap().clone();
        assert_eq!(state.addresses(&host, 50), [] as [IpAddr; 0]);
    }
}
