//! One network device of an instance: a pair of links, one end inside, and a filter of what it may
//! send if its options ask for one.
//!
//! The filter names the host's link, so it stands before there is one, and goes after it: a device
//! that is to be filtered never sends a frame that is not.

use std::{
    collections::BTreeMap,
    os::fd::{BorrowedFd, OwnedFd},
};

use leases::MacAddr;
use network::{Inside, PortFilter, PortLimits, PortSpec, PortVlans, Untagged};
use options::{
    Options, Raw,
    device::{Device, Nic},
    instance::device_key,
    server::{LinkNames, ServerOptions},
};
use store::Read;

use super::spec::mac;
use crate::{
    Error, Result, World,
    db::{instances::Instance, server},
    instances::volatile,
    names,
};

/// A network device with what was chosen for it.
#[derive(PartialEq)]
pub(crate) struct Port<'a> {
    nic: &'a Nic,
    host_name: String,
    hwaddr: MacAddr,
    /// Inside.
    name: String,
    /// Whether it may get back what it sends to itself by an address of the server's, as rules send it on.
    reflects: bool,
}

impl<'a> Port<'a> {
    /// The network devices of an instance, by their names; `tag` is the daemon's.
    pub(crate) fn all(
        tag: &str,
        id: &str,
        devices: &'a BTreeMap<String, Device>,
        config: &Raw,
    ) -> Result<BTreeMap<&'a str, Port<'a>>> {
        let reflects =
            devices.values().any(|device| matches!(device, Device::Proxy(proxy) if proxy.nat));
        let nics = devices.iter().filter_map(|(name, device)| Some((name, device.nic()?)));
        let port = |(at, (device, nic)): (usize, (&'a String, &'a Nic))| {
            let name = nic.name().or_else(|| config.get(&device_key(device, "name")));
            let port = Port {
                nic,
                host_name: host_name((tag, id), device, nic, config),
                hwaddr: hwaddr(device, nic, config)?,
                name: name.map_or_else(|| format!("eth{at}"), str::to_owned),
                reflects: reflects && nic.bridge().is_some(),
            };
            Ok((device.as_str(), port))
        };
        nics.enumerate().map(port).collect()
    }

    /// Fails when two of an instance's have one name inside.
    pub(crate) fn check_names(devices: &BTreeMap<String, Device>, config: &Raw) -> Result<()> {
        // The names on the host's side, which the tag goes into, do not matter here.
        let ports = Port::all("", "", devices, config)?;
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        for (device, port) in &ports {
            if let Some(other) = seen.insert(&port.name, device) {
                let name = &port.name;
                let why = format!("device \"{device}\": \"{other}\" is \"{name}\" inside too");
                return Err(Error::invalid("devices", why));
            }
        }
        Ok(())
    }

    /// Whether it is the same pair of links as the other; what it may send may differ.
    pub(crate) fn same_links(&self, other: &Port<'_>) -> bool {
        let nic = |port: &Port<'_>| {
            let nic = port.nic;
            let bridge = nic.bridge().map(str::to_owned);
            let vlans = nic.vlans().map(|(untagged, tagged, _)| (untagged, tagged.to_vec()));
            (bridge, nic.mtu(), nic.queue_length(), nic.isolated(), vlans, nic.routes())
        };
        (&self.host_name, self.hwaddr, &self.name) == (&other.host_name, other.hwaddr, &other.name)
            && nic(self) == nic(other)
    }

    /// The bridge it is to be on.
    pub(crate) fn bridge(&self) -> Option<&str> {
        self.nic.bridge()
    }

    /// Makes it for a container; what an attempt before this one left is replaced.
    pub(crate) async fn plug(&self, world: &World, netns: BorrowedFd<'_>) -> Result<()> {
        self.filter(world).await?;
        let (spec, inside) = (self.spec(), Inside { name: &self.name, netns });
        if let Err(first) = world.plane.attach_port(&spec, inside).await {
            // What is there from before is in the way; anything else fails again.
            tracing::debug!(port = spec.host_name, error = %tasks::chain(&first), "port");
            world.plane.detach_port(spec.host_name).await?;
            world.plane.attach_port(&spec, inside).await?;
        }
        self.reflect(world).await?;
        self.limit(world).await
    }

    /// Puts its limits in place of earlier ones, if it is to have any. The link must be there.
    async fn limit(&self, world: &World) -> Result<()> {
        let Some(wanted) = self.nic.limits() else { return Ok(()) };
        let limits = PortLimits {
            host_name: self.host_name.clone(),
            ingress: wanted.ingress.map(|rate| rate.0),
            egress: wanted.egress.map(|rate| rate.0),
            priority: wanted.priority,
        };
        Ok(world.plane.limit_port(&limits).await?)
    }

    async fn reflect(&self, world: &World) -> Result<()> {
        match self.reflects {
            true => Ok(world.plane.reflect_port(&self.host_name, true).await?),
            false => Ok(()),
        }
    }

    /// Makes it for a virtual machine: its tap, and its MTU if it is not the usual.
    pub(crate) async fn tap(&self, world: &World) -> Result<(OwnedFd, Option<u32>)> {
        self.filter(world).await?;
        let tap = world.plane.attach_tap(&self.spec()).await?;
        self.reflect(world).await?;
        self.limit(world).await?;
        Ok(tap)
    }

    fn spec(&self) -> PortSpec<'_> {
        PortSpec {
            bridge: self.nic.bridge(),
            host_name: &self.host_name,
            host_hwaddr: None,
            hwaddr: self.hwaddr,
            mtu: self.nic.mtu(),
            queue_length: self.nic.queue_length(),
            isolated: self.nic.isolated(),
            vlans: self.nic.vlans().map(|(untagged, tagged, managed)| PortVlans {
                untagged: match untagged {
                    None => Untagged::Usual,
                    Some(None) => Untagged::None,
                    Some(Some(id)) => Untagged::Is(id),
                },
                tagged: tagged.to_vec(),
                managed,
            }),
            routes: self.nic.routes(),
        }
    }

    /// The name of the link on this machine.
    pub(crate) fn host_name(&self) -> &str {
        &self.host_name
    }

    /// The name inside.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The MTU it was given, in bytes.
    pub(crate) fn mtu(&self) -> Option<u32> {
        self.nic.mtu()
    }

    /// The guest's hardware address.
    pub(crate) fn hwaddr(&self) -> MacAddr {
        self.hwaddr
    }

    /// Puts its filter in place of an earlier one, if it is to have any.
    pub(crate) async fn filter(&self, world: &World) -> Result<()> {
        let Some(wanted) = self.nic.filters() else { return Ok(()) };
        let filter = PortFilter {
            host_name: self.host_name.clone(),
            hwaddr: self.hwaddr,
            ipv4: wanted.ipv4,
            ipv6: wanted.ipv6,
        };
        Ok(world.plane.filter_port(&filter).await?)
    }

    /// Makes its filter and its limits what its options say, whatever they were.
    pub(crate) async fn refilter(&self, world: &World) -> Result<()> {
        if self.bridge().is_some() {
            world.plane.reflect_port(&self.host_name, self.reflects).await?;
        }
        match self.nic.filters() {
            Some(_) => self.filter(world).await?,
            None => world.plane.unfilter_port(&self.host_name).await?,
        }
        match self.nic.limits() {
            Some(_) => self.limit(world).await,
            None => Ok(world.plane.unlimit_port(&self.host_name).await?),
        }
    }

    /// Removes it; one that is gone is Ok.
    pub(crate) async fn unplug(&self, world: &World) -> Result<()> {
        remove(world, &self.host_name, self.nic).await
    }

    /// Puts back what other programs took away: its place on the bridge, its filter.
    pub(crate) async fn repair(&self, world: &World) -> Result<()> {
        self.filter(world).await?;
        if let Some(bridge) = self.nic.bridge() {
            world.plane.rejoin_port(&self.spec(), bridge).await?;
            self.reflect(world).await?;
        }
        self.limit(world).await
    }
}

/// Removes a network device; one that is gone is Ok.
pub(crate) async fn unplug(
    world: &World,
    id: &str,
    (device, nic): (&str, &Nic),
    config: &Raw,
) -> Result<()> {
    remove(world, &host_name((&world.tag, id), device, nic, config), nic).await
}

async fn remove(world: &World, host_name: &str, nic: &Nic) -> Result<()> {
    let gone = world.plane.detach_port(host_name).await;
    if let Some(bridge) = nic.bridge() {
        world.plane.unroute(bridge, &nic.routes()).await?;
    }
    if nic.filters().is_some() {
        world.plane.unfilter_port(host_name).await?;
    }
    if nic.limits().is_some() {
        world.plane.unlimit_port(host_name).await?;
    }
    Ok(gone?)
}

/// The name it was given, or by which it was started, or that it will have.
fn host_name((tag, id): (&str, &str), device: &str, nic: &Nic, config: &Raw) -> String {
    let named = nic.host_name().or_else(|| config.get(&device_key(device, "host_name")));
    named.map_or_else(|| volatile::host_name(tag, id, device), str::to_owned)
}

/// Names the host's links of an instance that have no name yet, as the server says it now; they keep it until the next start.
pub(crate) fn name_links(
    db: &Read<'_>,
    tag: &str,
    new: &mut Instance,
    devices: &BTreeMap<String, Device>,
) -> Result<()> {
    let wanted = ServerOptions::parse_known(&server::get(db)?)?.instances_nic_host_name;
    let id = names::instance_id(&new.project, &new.name);
    for (device, nic) in devices.iter().filter_map(|(name, device)| Some((name, device.nic()?))) {
        let key = device_key(device, "host_name");
        if nic.host_name().is_some() || new.config.has(&key) {
            continue;
        }
        let name = match wanted {
            LinkNames::Random => volatile::host_name(tag, &id, device),
            LinkNames::Mac => by_address(hwaddr(device, nic, &new.config)?),
        };
        new.config.set(key, name);
    }
    Ok(())
}

/// `lxd` and the address without its first byte: as long as a link's name may be.
fn by_address(address: MacAddr) -> String {
    let digits = address.to_string().replace(':', "");
    format!("lxd{}", &digits[2..])
}

/// The address it was given, or that was chosen for it.
pub(crate) fn hwaddr(device: &str, nic: &Nic, config: &Raw) -> Result<MacAddr> {
    if let Some(given) = nic.hwaddr() {
        return Ok(mac(given));
    }
    let key = device_key(device, "hwaddr");
    let text = config.get(&key).unwrap_or_default();
    text.parse().map_err(|_| Error::invalid("configuration", format!("{key} is \"{text}\"")))
}
