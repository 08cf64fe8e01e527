//! Taking a PCI device from its driver for a machine, and giving it back.

use std::{fs::OpenOptions, io::Write, path::Path};

use options::{PciAddress, Value};
use serde::{Deserialize, Serialize};
use spec::DeviceNode;

use super::{Error, PciDevice, Result, Tree, pci::VFIO, text};

/// Has the kernel look anew which driver is for a device.
const PROBE: &str = "sys/bus/pci/drivers_probe";

/// A device that a machine was given, noted before it was taken from its driver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// The machine's device that it is, or is a part of.
    pub device: String,
    /// Where it is.
    address: String,
    /// Who had it before.
    #[serde(default)]
    driver: Option<String>,
}

impl Bound {
    /// What is to be noted of a device as it is now.
    pub fn new(device: &str, now: &PciDevice) -> Bound {
        Bound {
            device: device.to_owned(),
            address: now.address.to_string(),
            driver: now.driver.clone(),
        }
    }

    /// Where it is; `None` for what no address is.
    pub fn address(&self) -> Option<PciAddress> {
        PciAddress::parse(&self.address).ok()
    }
}

impl Tree {
    /// Gives a device to vfio-pci, which may have it already.
    ///
    /// # Errors
    /// The kernel does not.
    pub fn bind(&self, address: PciAddress) -> Result<()> {
        let folder = self.folder(address);
        let before = self.pci(address)?.driver;
        if before.as_deref() == Some(VFIO) {
            return Ok(());
        }
        write(&folder.join("driver_override"), VFIO)?;
        if before.is_some() {
            write(&folder.join("driver/unbind"), &address.to_string())?;
        }
        write(&self.at(PROBE), &address.to_string())?;
        match self.pci(address)?.driver {
            Some(driver) if driver == VFIO => Ok(()),
            other => {
                let driver = other.unwrap_or_else(|| String::from("no driver"));
                Err(Error::NotBound { address, driver })
            }
        }
    }

    /// Gives a device back to the driver that had it. One that is gone, or that it has already, is Ok.
    ///
    /// # Errors
    /// The kernel does not.
    pub fn give_back(&self, bound: &Bound) -> Result<()> {
        let Some(now) = bound.address().and_then(|address| self.pci(address).ok()) else {
            return Ok(());
        };
        if bound.driver.as_deref() == Some(VFIO) {
            // Whoever runs this server has set it aside for machines.
            return Ok(());
        }
        let folder = self.folder(now.address);
        // An empty line takes the wish back.
        write(&folder.join("driver_override"), "\n")?;
        if now.driver.as_deref() == Some(VFIO) {
            write(&folder.join("driver/unbind"), &bound.address)?;
        } else if now.driver.is_some() {
            return Ok(());
        }
        match bound.driver {
            Some(_) => write(&self.at(PROBE), &bound.address),
            None => Ok(()),
        }
    }

    /// The nodes by which QEMU reaches a group that vfio-pci has.
    ///
    /// # Errors
    /// The kernel has none.
    pub fn nodes(&self, group: u32) -> Result<[DeviceNode; 2]> {
        let all = self.node("/dev/vfio/vfio".as_ref(), "sys/class/misc/vfio")?;
        let path = format!("/dev/vfio/{group}");
        Ok([all, self.node(path.as_ref(), &format!("sys/class/vfio/{group}"))?])
    }

    fn node(&self, path: &Path, folder: &str) -> Result<DeviceNode> {
        let numbers = text(&self.at(folder), "dev").unwrap_or_default();
        let numbers = numbers.split_once(':');
        let numbers = numbers.and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
        let (major, minor) = numbers.ok_or(Error::NoVfio)?;
        Ok(DeviceNode::character(path, major, minor))
    }
}

/// Tells the kernel; makes no file.
fn write(path: &Path, words: &str) -> Result<()> {
    let opened = OpenOptions::new().write(true).open(path);
    let written = opened.and_then(|mut file| file.write_all(words.as_bytes()));
    written.map_err(|source| Error::File {
        verb: "write",
        path: path.display().to_string(),
        source,
    })
}
