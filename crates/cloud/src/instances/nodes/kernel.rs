//! What the kernel says in `/sys` of the devices that have nodes.

use std::{
    fs,
    path::{Path, PathBuf},
};

use options::{
    DeviceId, PciAddress, Value,
    device::{Gpu, UnixHotplug},
};
use spec::DeviceKind;

/// A device that has a node.
#[derive(Debug)]
pub(super) struct Known {
    /// Below `/dev`.
    pub(super) name: PathBuf,
    pub(super) kind: DeviceKind,
    /// Major and minor.
    pub(super) number: (u32, u32),
    subsystem: Option<String>,
    folder: PathBuf,
    root: PathBuf,
}

/// A node of a graphics card.
#[derive(Debug)]
pub(super) struct Card {
    /// Such as `card0` or `renderD128`.
    pub(super) name: String,
    pub(super) number: (u32, u32),
    /// What it is of.
    device: PathBuf,
}

/// All that have nodes.
pub(super) fn devices(root: &Path) -> Vec<Known> {
    let kinds = [("char", DeviceKind::Char), ("block", DeviceKind::Block)];
    let of = |(folder, kind)| {
        let all = names(&root.join("sys/dev").join(folder)).into_iter();
        let known =
            move |name: String| known(root, &root.join("sys/dev").join(folder).join(name), kind);
        all.filter_map(known).collect::<Vec<_>>()
    };
    kinds.into_iter().flat_map(of).collect()
}

fn known(root: &Path, link: &Path, kind: DeviceKind) -> Option<Known> {
    let number = numbers(link.file_name()?.to_str()?)?;
    let folder = fs::canonicalize(link).ok()?;
    let uevent = fs::read_to_string(folder.join("uevent")).ok()?;
    let name = uevent.lines().find_map(|line| line.strip_prefix("DEVNAME="))?.into();
    let subsystem = linked(&folder, "subsystem");
    Some(Known { name, kind, number, subsystem, folder, root: root.to_owned() })
}

impl Known {
    /// Whether it is one of those that are wanted.
    pub(super) fn fits(&self, wanted: &UnixHotplug) -> bool {
        if wanted.subsystem.as_ref().is_some_and(|it| Some(it) != self.subsystem.as_ref()) {
            return false;
        }
        if wanted.vendorid.is_none() && wanted.productid.is_none() {
            return true;
        }
        let (vendor, product) = self.ids();
        wanted.vendorid.is_none_or(|it| Some(it) == vendor)
            && wanted.productid.is_none_or(|it| Some(it) == product)
    }

    /// Maker and product of the nearest thing above that has them: on USB, else on PCI.
    fn ids(&self) -> (Option<DeviceId>, Option<DeviceId>) {
        let above = || self.folder.ancestors().take_while(|folder| folder.starts_with(&self.root));
        for (vendor, product) in [("idVendor", "idProduct"), ("vendor", "device")] {
            let found = above().find(|folder| id(folder, vendor).is_some());
            if let Some(folder) = found {
                return (id(folder, vendor), id(folder, product));
            }
        }
        (None, None)
    }
}

/// The nodes of graphics cards, in the order of their names. What has a dash in its name is a socket of a card.
pub(super) fn cards(root: &Path) -> Vec<Card> {
    let folder = root.join("sys/class/drm");
    let card = |name: String| {
        let node = ["card", "renderD"].iter().any(|kind| {
            let rest = name.strip_prefix(kind).unwrap_or_default();
            !rest.is_empty() && rest.bytes().all(|it| it.is_ascii_digit())
        });
        let number = node.then(|| fs::read_to_string(folder.join(&name).join("dev")).ok())??;
        let device = fs::canonicalize(folder.join(&name).join("device")).ok()?;
        Some(Card { number: numbers(number.trim())?, device, name })
    };
    names(&folder).into_iter().filter_map(card).collect()
}

impl Card {
    /// Whether it is one of those that are wanted.
    pub(super) fn fits(&self, wanted: &Gpu, all: &[Card]) -> bool {
        let pci = || PciAddress::parse(self.device.file_name()?.to_str()?).ok();
        let numbered = |id: u32| {
            let name = format!("card{id}");
            all.iter().any(|card| card.name == name && card.device == self.device)
        };
        wanted.id.is_none_or(numbered)
            && wanted.pci.is_none_or(|it| Some(it) == pci())
            && wanted.vendorid.is_none_or(|it| Some(it) == id(&self.device, "vendor"))
            && wanted.productid.is_none_or(|it| Some(it) == id(&self.device, "device"))
    }
}

/// The names in a folder, in order; none where there is no such folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// `166:0`.
fn numbers(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// The name of what a link leads to.
fn linked(folder: &Path, name: &str) -> Option<String> {
    let target = fs::read_link(folder.join(name)).ok()?;
    Some(target.file_name()?.to_str()?.to_owned())
}

/// A number in hexadecimal digits.
fn id(folder: &Path, name: &str) -> Option<DeviceId> {
    let text = fs::read_to_string(folder.join(name)).ok()?;
    DeviceId::parse(text.trim().trim_start_matches("0x")).ok()
}
