//! Which instance has which hardware address on which network, so that names and leases are right from the first
//! packet on.
//!
//! Kept here, as one instance that comes or goes does not make thousands be read.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use network::Host;
use options::device::Device;
use store::Read;

use super::port::hwaddr;
use crate::db::instances::{self as rows, Instance};
use crate::expand::{self, Expanded};
use crate::instances::options::Typed;
use crate::{Error, Result, World};

/// The ports of all instances. It is held while rows are read and networks told, so that who read later is told later.
#[derive(Default)]
pub struct Hosts(Mutex<Known>);

/// By project and name.
type Known = BTreeMap<(String, String), Vec<Port>>;

/// A port of an instance on a network of this cloud.
struct Port {
    network: String,
    host: Host,
}

impl Hosts {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells every network of all instances.
pub(crate) fn tell_all(world: &World) -> Result<()> {
    let mut known = world.hosts.known();
    let all = world.store.read(|db| {
        let profiles = expand::Profiles::read(db)?;
        *known = BTreeMap::new();
        for row in rows::all(db)? {
            let ports = ports(&row, &profiles.lay(&row));
            if !ports.is_empty() {
                known.insert((row.project, row.name), ports);
            }
        }
        networks(db)
    })?;
    tell(world, &known, &all);
    Ok(())
}

/// Tells the networks of one instance that it is on them, or is no longer.
pub(crate) fn tell_of(world: &World, project: &str, name: &str) -> Result<()> {
    let mut known = world.hosts.known();
    let (new, networks) = world.store.read(|db| {
        let new = match rows::get(db, project, name)? {
            Some(row) => ports(&row, &expand::expand(db, &row)?),
            None => Vec::new(),
        };
        Ok::<_, Error>((new, networks(db)?))
    })?;
    replace(world, &mut known, (project, name), new, &networks);
    Ok(())
}

/// Takes an instance off its networks, so that its names and leases end. To be done before its row goes: after a crash
/// between the two nobody would know whose the leases were.
pub(crate) fn forget(world: &World, project: &str, name: &str) -> Result<()> {
    let mut known = world.hosts.known();
    let networks = world.store.read(networks)?;
    replace(world, &mut known, (project, name), Vec::new(), &networks);
    Ok(())
}

fn replace(
    world: &World,
    known: &mut Known,
    (project, name): (&str, &str),
    new: Vec<Port>,
    networks: &[String],
) {
    let key = (project.to_owned(), name.to_owned());
    let on = |ports: &[Port], network: &String| ports.iter().any(|port| port.network == *network);
    let before = known.remove(&key).unwrap_or_default();
    let touched = networks.iter().filter(|network| on(&before, network) || on(&new, network));
    let touched: Vec<String> = touched.cloned().collect();
    if !new.is_empty() {
        known.insert(key, new);
    }
    tell(world, known, &touched);
}

fn tell(world: &World, known: &Known, networks: &[String]) {
    for network in networks {
        let ports = known.values().flatten().filter(|port| port.network == *network);
        world.plane.set_hosts(network, ports.map(|port| port.host.clone()).collect());
    }
}

/// The names of all networks.
fn networks(db: &Read<'_>) -> Result<Vec<String>> {
    Ok(crate::db::networks::all(db)?.into_iter().map(|network| network.name).collect())
}

/// What an instance has on networks of this cloud; nothing if its options cannot be read.
fn ports(row: &Instance, expanded: &Expanded) -> Vec<Port> {
    let Ok(typed) = Typed::parse(expanded) else { return Vec::new() };
    let port = |(device, parsed): (&String, &Device)| {
        let nic = parsed.nic()?;
        let (network, hwaddr) = (nic.bridge()?, hwaddr(device, nic, &expanded.config).ok()?);
        let host = Host { name: row.name.clone(), hwaddr, ipv4: nic.ipv4(), ipv6: nic.ipv6() };
        Some(Port { network: network.to_owned(), host })
    };
    typed.devices.iter().filter_map(port).collect()
}
