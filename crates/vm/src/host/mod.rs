//! Devices of this server that a machine gets for itself: what there is, and who has it.
//!
//! ```text
//! Tree ── PCI, GPU ──> PciDevice ── bind ──> vfio-pci has it ── QEMU ends ── give_back ──> its driver has it
//!      └─ USB ───────> UsbDevice, whose file QEMU is given open
//! ```
//! All of it is read from `/sys`, beneath a root that is `/` but in tests. How QEMU is told is in `passed`.

mod bind;
mod error;
mod pci;
mod usb;

use std::{
    fs,
    path::{Path, PathBuf},
};

pub use self::{bind::Bound, error::Error, pci::PciDevice, usb::UsbDevice};

pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Where the files of the kernel are.
#[derive(Debug, Clone)]
pub struct Tree {
    root: PathBuf,
}

impl Tree {
    /// Those beneath a folder.
    pub fn new(root: impl Into<PathBuf>) -> Tree {
        Tree { root: root.into() }
    }

    fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root.join(path)
    }

    /// The names in a folder, in order; none where there is no such folder.
    fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.at(folder)).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }
}

/// What a file of the kernel says.
fn text(folder: &Path, name: &str) -> Option<String> {
    Some(fs::read_to_string(folder.join(name)).ok()?.trim().to_owned())
}

/// The same, as a number in hexadecimal digits.
fn hex(folder: &Path, name: &str) -> Option<u32> {
    let text = text(folder, name)?;
    u32::from_str_radix(text.trim_start_matches("0x"), 16).ok()
}

/// The name of what a link leads to.
fn linked(folder: &Path, name: &str) -> Option<String> {
    let target = fs::read_link(folder.join(name)).ok()?;
    Some(target.file_name()?.to_str()?.to_owned())
}

#[cfg(test)]
mod tests;
