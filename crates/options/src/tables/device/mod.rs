//! Options of devices: `type` decides, for network cards then `nictype` or `network`.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{Options, Problem, Problems, Raw, names};

pub use disk::{Disk, DiskBus, DiskCache, DiskSource, Drive, MountFlag, Propagation};
pub use gpu::Gpu;
pub use nic::{NicFilters, NicLimits, NicVlans};
pub use nic_bridged::{Mtu, NicBridged};
pub use nic_p2p::NicP2p;
pub use pci::Pci;
pub use proxy::{Bind, Proxy};
pub use tpm::Tpm;
pub use unix::{NodeAccess, NodeKind, Unix, UnixBlock, UnixChar, UnixHotplug};
pub use usb::Usb;

mod disk;
mod gpu;
mod nic;
mod nic_bridged;
mod nic_p2p;
mod pci;
mod proxy;
mod tpm;
mod unix;
mod usb;

/// The devices of an instance or profile as they are on the wire, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Devices(pub BTreeMap<String, Raw>);

/// A device, parsed.
#[derive(Debug, Clone, PartialEq)]
pub enum Device {
    /// Masks a device of a profile.
    None,
    /// A disk: the root, a volume, or a path of the host.
    Disk(Box<Disk>),
    /// A network card.
    Nic(Box<Nic>),
    /// A chip that keeps secrets (TPM 2).
    Tpm(Tpm),
    /// A PCI device of the host.
    Pci(Pci),
    /// A graphics card of the host.
    Gpu(Gpu),
    /// USB devices of the host.
    Usb(Usb),
    /// What comes in at one side of the instance's wall and goes out at the other.
    Proxy(Box<Proxy>),
    /// A device node of the host.
    Unix(Box<Unix>),
    /// Device nodes of the host that come and go.
    Hotplug(UnixHotplug),
}

/// A network card, parsed.
#[derive(Debug, Clone, PartialEq)]
pub enum Nic {
    /// On a bridge: a network of the server, or one of the host.
    Bridged(NicBridged),
    /// A pair of links between host and instance, with nothing behind it.
    P2p(NicP2p),
}

const TYPES: &str =
    "disk, gpu, nic, pci, proxy, tpm, unix-block, unix-char, unix-hotplug, usb or none";
const NIC_TYPES: &str = "bridged or p2p";

/// Types of devices that LXD has beside ours.
const TYPES_NOT_YET: [&str; 1] = ["infiniband"];
/// Kinds of graphics cards that LXD has beside whole ones.
const GPU_TYPES_NOT_YET: [&str; 3] = ["mdev", "mig", "sriov"];
/// Types of network cards that LXD has beside ours.
const NIC_TYPES_NOT_YET: [&str; 6] = ["ipvlan", "macvlan", "ovn", "physical", "routed", "sriov"];

impl Device {
    /// Parses one device.
    pub fn parse(raw: &Raw) -> Result<Self, Problems> {
        let options = without(raw, "type");
        match raw.get("type") {
            Some("none") => nothing_else(&options).map(|()| Self::None),
            Some("disk") => Disk::parse(&options).map(|disk| Self::Disk(Box::new(disk))),
            Some("nic") => Nic::parse(&options).map(|nic| Self::Nic(Box::new(nic))),
            Some("tpm") => Tpm::parse(&options).map(Self::Tpm),
            Some("pci") => Pci::parse(&options).map(Self::Pci),
            Some("gpu") => gpu(&options).map(Self::Gpu),
            Some("proxy") => Proxy::parse(&options).map(|proxy| Self::Proxy(Box::new(proxy))),
            Some("usb") => Usb::parse(&options).map(Self::Usb),
            Some("unix-block") => UnixBlock::parse(&options).map(Self::unix),
            Some("unix-char") => UnixChar::parse(&options).map(Self::unix),
            Some("unix-hotplug") => UnixHotplug::parse(&options).map(Self::Hotplug),
            Some(other) => Err(wrong_type("type", other, &TYPES_NOT_YET, TYPES)),
            None => Err(Problem::missing("type", TYPES).into()),
        }
    }

    fn unix(node: impl Into<Unix>) -> Self {
        Self::Unix(Box::new(node.into()))
    }

    /// The disk, when it is one.
    pub fn disk(&self) -> Option<&Disk> {
        match self {
            Self::Disk(disk) => Some(disk),
            _ => None,
        }
    }

    /// The network card, when it is one.
    pub fn nic(&self) -> Option<&Nic> {
        match self {
            Self::Nic(nic) => Some(nic),
            _ => None,
        }
    }
}

impl Nic {
    /// A card with `network` is of the network's type: today always a bridge.
    fn parse(options: &Raw) -> Result<Self, Problems> {
        let nictype = options.get("nictype");
        if options.has("network") && nictype.is_some() {
            return Err(Problem::conflict("nictype", "cannot be set together with network").into());
        }
        let rest = without(options, "nictype");
        match nictype {
            None if options.has("network") => NicBridged::parse(&rest).map(Self::Bridged),
            None => {
                Err(Problem::missing("network", "a network, or else nictype and parent").into())
            }
            Some("bridged") => NicBridged::parse(&rest).map(Self::Bridged),
            Some("p2p") => NicP2p::parse(&rest).map(Self::P2p),
            Some(other) => Err(wrong_type("nictype", other, &NIC_TYPES_NOT_YET, NIC_TYPES)),
        }
    }
}

impl Devices {
    /// Parses all devices; the problems of all come at once, each within its device.
    pub fn parse(&self) -> Result<BTreeMap<String, Device>, Problems> {
        let mut devices = BTreeMap::new();
        let mut problems = Vec::new();
        for (name, raw) in &self.0 {
            let named = names::check_device(name).map_err(|why| {
                Problems::from(Problem::conflict(name, format!("cannot be a device: {why}")))
            });
            match named.and_then(|()| Device::parse(raw)) {
                Ok(device) => drop(devices.insert(name.clone(), device)),
                Err(more) => {
                    let place = || format!("device {name:?}");
                    problems.extend(more.into_iter().map(|problem| problem.within(place())));
                }
            }
        }
        problems.extend(clashes(&devices));
        Problems(problems).into_result().map(|()| devices)
    }

    /// These devices with others laid over them: of each name the later one holds whole.
    #[must_use]
    pub fn merged(&self, over: &Self) -> Self {
        let mut both = self.clone();
        both.0.extend(over.0.clone());
        both
    }
}

impl FromIterator<(String, Raw)> for Devices {
    fn from_iter<I: IntoIterator<Item = (String, Raw)>>(devices: I) -> Self {
        Self(devices.into_iter().collect())
    }
}

/// Two disks at one place, or two cards of one name.
fn clashes(devices: &BTreeMap<String, Device>) -> Vec<Problem> {
    let mut first: BTreeMap<(&str, String), &str> = BTreeMap::new();
    let mut problems = Vec::new();
    for (name, device) in devices {
        let Some((key, value)) = place(device) else { continue };
        match first.get(&(key, value.clone())) {
            None => drop(first.insert((key, value), name)),
            Some(other) => {
                let sentence = format!("is {value:?} in the device {other:?} too");
                problems.push(Problem::conflict(key, sentence).within(format!("device {name:?}")));
            }
        }
    }
    problems
}

/// What of a device can be there only once in an instance.
fn place(device: &Device) -> Option<(&'static str, String)> {
    let interface = match device {
        Device::None
        | Device::Tpm(_)
        | Device::Pci(_)
        | Device::Gpu(_)
        | Device::Usb(_)
        | Device::Proxy(_)
        | Device::Hotplug(_) => return None,
        Device::Unix(node) => return Some(("path", node.path().display().to_string())),
        Device::Disk(disk) => return Some(("path", disk.path.as_ref()?.to_string())),
        Device::Nic(nic) => match nic.as_ref() {
            Nic::Bridged(card) => &card.name,
            Nic::P2p(card) => &card.name,
        },
    };
    Some(("name", interface.as_ref()?.to_string()))
}

/// A graphics card is whole, or a part of one.
fn gpu(options: &Raw) -> Result<Gpu, Problems> {
    match options.get("gputype") {
        None | Some("physical") => Gpu::parse(&without(options, "gputype")),
        Some(other) => Err(wrong_type("gputype", other, &GPU_TYPES_NOT_YET, "physical")),
    }
}

/// Writes the keys that are set, as they are set.
fn told(f: &mut fmt::Formatter<'_>, keys: &[(&str, Option<String>)]) -> fmt::Result {
    let set = keys.iter().filter_map(|(key, value)| Some(format!("{key}={}", value.as_ref()?)));
    f.write_str(&set.collect::<Vec<_>>().join(" "))
}

fn without(raw: &Raw, key: &str) -> Raw {
    let mut rest = raw.clone();
    rest.remove(key);
    rest
}

fn nothing_else(options: &Raw) -> Result<(), Problems> {
    let extra =
        options.keys().map(|key| Problem::conflict(key, "means nothing in a device of type none"));
    Problems(extra.collect()).into_result()
}

fn wrong_type(key: &str, given: &str, not_yet: &[&str], there_are: &str) -> Problems {
    let allowed = if not_yet.contains(&given) {
        format!("not supported yet; supported are {there_are}")
    } else {
        there_are.to_owned()
    };
    Problem::invalid(key, given, allowed).into()
}
