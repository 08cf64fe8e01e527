//! USB devices.

use std::{fs::File, os::fd::OwnedFd, path::Path};

use options::device::Usb;

use super::{Error, Result, Tree, hex, text};

/// Where the kernel lists them, and their interfaces.
const DEVICES: &str = "sys/bus/usb/devices";
/// The class of what others are plugged into (USB class codes), which cannot be given away.
const HUB: u32 = 9;

/// A USB device that is plugged in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsbDevice {
    /// The bus it is on.
    pub bus: u32,
    /// Its number there.
    pub number: u32,
    vendor: u32,
    product: u32,
    serial: Option<String>,
}

impl Tree {
    /// Those that fit, in the order of their places.
    pub fn usb(&self, wanted: &Usb) -> Vec<UsbDevice> {
        let folders = self.names(DEVICES).into_iter().map(|name| self.at(DEVICES).join(name));
        let mut found: Vec<UsbDevice> =
            folders.filter_map(|folder| read(&folder)).filter(|it| is_wanted(it, wanted)).collect();
        found.sort();
        found
    }

    /// The only one that fits.
    ///
    /// # Errors
    /// There is none, or there are more.
    pub fn required_usb(&self, wanted: &Usb) -> Result<UsbDevice> {
        let mut found = self.usb(wanted);
        match (found.pop(), found.len()) {
            (Some(one), 0) => Ok(one),
            (None, _) => Err(Error::NoUsb { wanted: wanted.clone() }),
            (Some(_), others) => Err(Error::ManyUsb { wanted: wanted.clone(), found: others + 1 }),
        }
    }

    /// Opens it as QEMU needs it.
    ///
    /// # Errors
    /// It was pulled out.
    pub fn open_usb(&self, device: &UsbDevice) -> Result<OwnedFd> {
        let path = self.at(format!("dev/bus/usb/{:03}/{:03}", device.bus, device.number));
        let opened = File::options().read(true).write(true).open(&path);
        opened.map(OwnedFd::from).map_err(|source| Error::File {
            verb: "open",
            path: path.display().to_string(),
            source,
        })
    }
}

/// Interfaces have no numbers.
fn read(folder: &Path) -> Option<UsbDevice> {
    let number = |name: &str| text(folder, name)?.parse().ok();
    let device = UsbDevice {
        bus: number("busnum")?,
        number: number("devnum")?,
        vendor: hex(folder, "idVendor")?,
        product: hex(folder, "idProduct")?,
        serial: text(folder, "serial"),
    };
    (hex(folder, "bDeviceClass") != Some(HUB)).then_some(device)
}

fn is_wanted(device: &UsbDevice, wanted: &Usb) -> bool {
    wanted.vendorid.is_none_or(|it| u32::from(it.0) == device.vendor)
        && wanted.productid.is_none_or(|it| u32::from(it.0) == device.product)
        && wanted.busnum.is_none_or(|it| it == device.bus)
        && wanted.devnum.is_none_or(|it| it == device.number)
        && wanted.serial.as_ref().is_none_or(|it| device.serial.as_ref() == Some(it))
}
