//! Why a machine cannot have a device of the server.

use std::io;

use options::{
    PciAddress,
    device::{Gpu, Usb},
};

/// Why a machine cannot have a device of the server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing is there.
    #[error("there is no PCI device {address} on this server: lspci -D shows those that are there")]
    NoPci {
        /// Where it was looked for.
        address: PciAddress,
    },
    /// No graphics card is what is wanted.
    #[error("no graphics card of this server fits \"{wanted}\"; there {}", list(there))]
    NoGpu {
        /// What it was looked for by.
        wanted: Gpu,
        /// All there are.
        there: Vec<PciAddress>,
    },
    /// Which one is meant is not clear.
    #[error("{} graphics cards of this server fit \"{wanted}\": name one by pci; there {}", found.len(), list(found))]
    ManyGpus {
        /// What they were looked for by.
        wanted: Gpu,
        /// Those that fit.
        found: Vec<PciAddress>,
    },
    /// Nothing that is plugged in is what is wanted.
    #[error("no USB device with {wanted} is plugged into this server, and it is required")]
    NoUsb {
        /// What it was looked for by.
        wanted: Usb,
    },
    /// Which one is required is not clear.
    #[error(
        "{found} USB devices with {wanted} are plugged into this server, and one is required: name it by serial, or \
         by busnum and devnum"
    )]
    ManyUsb {
        /// What they were looked for by.
        wanted: Usb,
        /// How many fit.
        found: usize,
    },
    /// The kernel keeps no machine within its memory.
    #[error(
        "PCI device {address} is in no IOMMU group: switch the IOMMU on in the server's firmware and for its kernel \
         (intel_iommu=on, or amd_iommu=on)"
    )]
    NoGroup {
        /// The device.
        address: PciAddress,
    },
    /// What cannot be kept apart goes together.
    #[error(
        "PCI device {address} shares IOMMU group {group} with {other} (driver {driver}): give the machine that one \
         too, or take it from its driver"
    )]
    Shared {
        /// The device.
        address: PciAddress,
        /// Its group.
        group: u32,
        /// Another of it, which the server uses.
        other: PciAddress,
        /// By that driver.
        driver: String,
    },
    /// The kernel cannot give devices away.
    #[error("the kernel's driver vfio-pci is missing here: load it with modprobe vfio-pci")]
    NoVfio,
    /// The kernel did not give it.
    #[error("PCI device {address} was not taken by vfio-pci, but by {driver}: see dmesg")]
    NotBound {
        /// The device.
        address: PciAddress,
        /// Who has it.
        driver: String,
    },
    /// A file of the kernel's.
    #[error("cannot {verb} {path}")]
    File {
        /// Such as `write`.
        verb: &'static str,
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
}

/// Addresses within a sentence.
fn list(all: &[PciAddress]) -> String {
    let all: Vec<String> = all.iter().map(ToString::to_string).collect();
    match all.len() {
        0 => String::from("is none"),
        1 => format!("is {}", all.join("")),
        _ => format!("are {}", all.join(", ")),
    }
}
