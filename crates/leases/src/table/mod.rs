//! Who has which address. Pure: time comes in, changes to be journaled come out.
//!
//! ```text
//! free --offer--> offered --bind--> bound --release, expiry--> remembered --another needs it--> free
//!                    |                 +----decline--> quarantined --time--> free
//!                    +--time--> free
//! ```
//!
//! A remembered address goes back to its old owner, and to another only when none is left that
//! nobody ever had.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
};

use serde::{Deserialize, Serialize};

use crate::{MacAddr, pool::Pool};

/// More bindings than this are refused, whatever the size of the subnet.
const MAX_BINDINGS: usize = 65_536;
/// Offers that wait for their request; the oldest goes first.
const MAX_OFFERS: usize = 1024;
/// Declined addresses kept aside, so that a hostile guest cannot decline a whole pool away.
const MAX_QUARANTINE: usize = 64;
/// Seconds an offer is held.
const OFFER: u64 = 60;
/// Seconds a declined address stays unused.
const QUARANTINE: u64 = 600;

/// Who a client is. DHCPv4 knows clients by hardware address only: client identifiers repeat when an
/// instance is copied with its machine id, and two guests would get one address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Client {
    /// By hardware address.
    Mac(MacAddr),
    /// By DHCPv6 identifier and association, when the hardware address is not known.
    Duid(Vec<u8>, u32),
}

/// One address and its owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The address.
    pub address: IpAddr,
    /// Its owner.
    pub client: Client,
    /// Unix seconds; in the past: remembered, not in use.
    pub expires: u64,
    /// What the client calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
}

/// What the journal must learn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Put(Binding),
    Drop(IpAddr),
}

/// The lease table of one bridge, both families.
#[derive(Debug, Default)]
pub struct Table {
    bindings: BTreeMap<IpAddr, Binding>,
    owners: HashMap<(bool, Client), IpAddr>,
    offers: BTreeMap<IpAddr, (Client, u64)>,
    quarantine: BTreeMap<IpAddr, u64>,
    changes: Vec<Change>,
}

impl Table {
    /// A table as the journal left it.
    pub(crate) fn restore(changes: impl IntoIterator<Item = Change>) -> Table {
        let mut table = Table::default();
        for change in changes {
            match change {
                Change::Put(binding) => table.insert(binding),
                Change::Drop(address) => drop(table.remove(address)),
            }
        }
        table
    }

    /// Every binding, also those that ran out.
    pub fn iter(&self) -> impl Iterator<Item = &Binding> {
        self.bindings.values()
    }

    /// Bindings in use at this time.
    pub fn active(&self, now: u64) -> impl Iterator<Item = &Binding> {
        self.bindings.values().filter(move |binding| binding.expires > now)
    }

    /// The binding of an address, also if it ran out.
    pub fn at(&self, address: IpAddr) -> Option<&Binding> {
        self.bindings.get(&address)
    }

    /// The binding of a client in one family, also if it ran out.
    pub fn of(&self, client: &Client, v6: bool) -> Option<&Binding> {
        self.bindings.get(self.owners.get(&(v6, client.clone()))?)
    }

    /// Whether the client may use the address now: nobody else does, or was just offered it.
    pub(crate) fn available(&self, address: IpAddr, client: &Client, now: u64) -> bool {
        let others = |owner: &Client, until: u64| owner != client && until > now;
        !self.bindings.get(&address).is_some_and(|b| others(&b.client, b.expires))
            && !self.offers.get(&address).is_some_and(|(owner, until)| others(owner, *until))
            && self.quarantine.get(&address).is_none_or(|until| *until <= now)
    }

    /// An address of the pool for this client: the one it had, the one it wants, one that nobody
    /// had, the one unused for longest. `kept` tells addresses that are not to be given.
    pub(crate) fn choose(
        &self,
        pool: &Pool,
        client: &Client,
        wanted: Option<u128>,
        now: u64,
        (v6, seed): (bool, u64),
        kept: impl Fn(IpAddr) -> bool,
    ) -> Option<IpAddr> {
        let usable = |number: &u128| {
            let address = address(*number, v6);
            pool.contains(*number) && !kept(address) && self.available(address, client, now)
        };
        let had = self.of(client, v6).map(|binding| number(binding.address));
        let fresh =
            || pool.walk(seed).find(|n| usable(n) && !self.bindings.contains_key(&address(*n, v6)));
        let oldest = || {
            let family = self.bindings.values().filter(|b| b.address.is_ipv6() == v6);
            let unused = family.filter(|b| b.expires <= now && usable(&number(b.address)));
            unused.min_by_key(|b| b.expires).map(|b| number(b.address))
        };
        let found = had.filter(usable).or(wanted.filter(usable)).or_else(fresh).or_else(oldest)?;
        Some(address(found, v6))
    }

    /// Holds an address for a client until its request comes.
    pub(crate) fn offer(&mut self, address: IpAddr, client: &Client, now: u64) {
        self.offers.retain(|_, (owner, until)| *until > now && owner != client);
        if self.offers.len() >= MAX_OFFERS {
            let oldest = self.offers.iter().min_by_key(|(_, (_, until))| *until).map(|(a, _)| *a);
            oldest.and_then(|address| self.offers.remove(&address));
        }
        self.offers.insert(address, (client.clone(), now + OFFER));
    }

    /// Gives the address to the client, who loses another it may have had. False when the table is
    /// full.
    pub(crate) fn bind(&mut self, binding: Binding, now: u64) -> bool {
        self.offers
            .retain(|address, (owner, _)| *address != binding.address && *owner != binding.client);
        if !self.bindings.contains_key(&binding.address) && !self.make_room(now) {
            return false;
        }
        if self.bindings.get(&binding.address) != Some(&binding) {
            self.changes.push(Change::Put(binding.clone()));
        }
        self.insert(binding);
        true
    }

    /// The client gives its address back; it is remembered.
    pub(crate) fn release(&mut self, address: IpAddr, client: &Client, now: u64) -> bool {
        match self.bindings.get_mut(&address) {
            Some(binding) if binding.client == *client => {
                binding.expires = binding.expires.min(now);
                self.changes.push(Change::Put(binding.clone()));
                true
            }
            _ => false,
        }
    }

    /// The client found the address in use by somebody else: it is left alone for a while.
    pub(crate) fn decline(&mut self, address: IpAddr, client: &Client, now: u64) -> bool {
        let offered = self.offers.get(&address).is_some_and(|(owner, _)| owner == client);
        let bound = self.bindings.get(&address).is_some_and(|b| b.client == *client);
        if !offered && !bound {
            return false;
        }
        self.offers.remove(&address);
        self.forget(address);
        self.quarantine.retain(|_, until| *until > now);
        if self.quarantine.len() >= MAX_QUARANTINE {
            let oldest = self.quarantine.iter().min_by_key(|(_, until)| **until).map(|(a, _)| *a);
            oldest.and_then(|address| self.quarantine.remove(&address));
        }
        self.quarantine.insert(address, now + QUARANTINE);
        true
    }

    /// Removes a binding for good.
    pub(crate) fn forget(&mut self, address: IpAddr) {
        if self.remove(address).is_some() {
            self.changes.push(Change::Drop(address));
        }
    }

    /// What happened since the last call.
    pub(crate) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    fn make_room(&mut self, now: u64) -> bool {
        if self.bindings.len() < MAX_BINDINGS {
            return true;
        }
        let unused = self.bindings.values().filter(|binding| binding.expires <= now);
        let Some(oldest) = unused.min_by_key(|b| b.expires).map(|b| b.address) else {
            return false;
        };
        self.forget(oldest);
        true
    }

    fn insert(&mut self, binding: Binding) {
        let v6 = binding.address.is_ipv6();
        self.remove(binding.address);
        if let Some(old) = self.owners.insert((v6, binding.client.clone()), binding.address) {
            self.bindings.remove(&old);
        }
        self.bindings.insert(binding.address, binding);
    }

    fn remove(&mut self, address: IpAddr) -> Option<Binding> {
        let binding = self.bindings.remove(&address)?;
        self.owners.remove(&(address.is_ipv6(), binding.client.clone()));
        Some(binding)
    }
}

pub(crate) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_bits().into(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn address(number: u128, v6: bool) -> IpAddr {
    if v6 {
        return IpAddr::V6(number.into());
    }
    IpAddr::V4(u32::try_from(number).unwrap_or_default().into())
}

#[cfg(test)]
mod tests;
