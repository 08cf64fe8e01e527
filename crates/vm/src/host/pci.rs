//! PCI devices, graphics cards among them.

use std::path::PathBuf;

use options::{PciAddress, Value, device::Gpu};

use super::{Error, Result, Tree, hex, linked};

/// Where the kernel lists them.
pub(super) const DEVICES: &str = "sys/bus/pci/devices";
/// The kernel's cards, as programs that draw know them.
const CARDS: &str = "sys/class/drm";
/// The driver that gives devices to machines.
pub(super) const VFIO: &str = "vfio-pci";
/// Drivers under which a device does nothing of its own, beside none at all.
const IDLE: [&str; 3] = [VFIO, "pci-stub", "pcieport"];
/// The first byte of the class of whatever shows pictures (PCI Code and ID Assignment, 1.4).
const DISPLAY: u32 = 3;

/// A function of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PciDevice {
    /// Where it is.
    pub address: PciAddress,
    /// Who has it.
    pub driver: Option<String>,
    /// What it cannot be told apart from by the IOMMU.
    pub group: Option<u32>,
    vendor: u32,
    product: u32,
    class: u32,
}

impl Tree {
    /// All that there are, in the order of their addresses.
    fn pci_devices(&self) -> Vec<PciDevice> {
        self.names(DEVICES).iter().filter_map(|name| self.pci_device(name)).collect()
    }

    fn pci_device(&self, name: &str) -> Option<PciDevice> {
        let address = PciAddress::parse(name).ok()?;
        let folder = self.folder(address);
        folder.is_dir().then(|| PciDevice {
            address,
            driver: linked(&folder, "driver"),
            group: linked(&folder, "iommu_group").and_then(|group| group.parse().ok()),
            vendor: hex(&folder, "vendor").unwrap_or_default(),
            product: hex(&folder, "device").unwrap_or_default(),
            class: hex(&folder, "class").unwrap_or_default(),
        })
    }

    pub(super) fn folder(&self, address: PciAddress) -> PathBuf {
        self.at(DEVICES).join(address.to_string())
    }

    /// The one at an address.
    ///
    /// # Errors
    /// There is none.
    pub fn pci(&self, address: PciAddress) -> Result<PciDevice> {
        self.pci_device(&address.to_string()).ok_or(Error::NoPci { address })
    }

    /// A graphics card, with all that is on it: its sound, its sockets.
    ///
    /// # Errors
    /// There is none that fits, or more than one.
    pub fn gpu(&self, wanted: &Gpu) -> Result<Vec<PciDevice>> {
        let all = self.pci_devices();
        let gpus: Vec<&PciDevice> = all.iter().filter(|it| it.class >> 16 == DISPLAY).collect();
        let found: Vec<&PciDevice> =
            gpus.iter().filter(|it| self.is_wanted(it, wanted)).copied().collect();
        let addresses = |all: &[&PciDevice]| all.iter().map(|it| it.address).collect();
        match found[..] {
            [one] => {
                let on_it = |it: &&PciDevice| it.address.same_card(one.address);
                Ok(all.iter().filter(on_it).cloned().collect())
            }
            [] => Err(Error::NoGpu { wanted: wanted.clone(), there: addresses(&gpus) }),
            _ => Err(Error::ManyGpus { wanted: wanted.clone(), found: addresses(&found) }),
        }
    }

    fn is_wanted(&self, device: &PciDevice, wanted: &Gpu) -> bool {
        let card = |id: u32| {
            let card = self.at(CARDS).join(format!("card{id}"));
            linked(&card, "device").and_then(|name| PciAddress::parse(&name).ok())
        };
        wanted.id.is_none_or(|id| card(id) == Some(device.address))
            && wanted.pci.is_none_or(|pci| pci == device.address)
            && wanted.vendorid.is_none_or(|it| u32::from(it.0) == device.vendor)
            && wanted.productid.is_none_or(|it| u32::from(it.0) == device.product)
    }

    /// Fails where one cannot be given to the machine that gets all of `given`.
    ///
    /// # Errors
    /// Nothing keeps it within the machine's memory, or it shares that with what the server uses.
    pub fn check_pci(&self, device: &PciDevice, given: &[PciAddress]) -> Result<()> {
        let address = device.address;
        if !self.at("sys/bus/pci/drivers").join(VFIO).is_dir() {
            return Err(Error::NoVfio);
        }
        let group = device.group.ok_or(Error::NoGroup { address })?;
        let used = self.pci_devices().into_iter().find_map(|other| {
            let driver = other.driver.filter(|driver| !IDLE.contains(&driver.as_str()))?;
            let shares = other.group == Some(group) && !given.contains(&other.address);
            shares.then_some((other.address, driver))
        });
        match used {
            None => Ok(()),
            Some((other, driver)) => Err(Error::Shared { address, group, other, driver }),
        }
    }
}
