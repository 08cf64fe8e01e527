//! What devices of a restricted project may not be.

use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
};

use options::{
    device::{Device, Disk, DiskSource, Nic, NodeKind},
    project::{Access, ManagedAccess, Restricted},
};

use super::restrictions::blocked;

type Verdict = Result<(), String>;

/// Fails with the device that is not allowed. Types of devices that are not here have to be added to this match.
pub(super) fn check(rules: &Restricted, devices: &BTreeMap<String, Device>) -> Verdict {
    for (name, device) in devices {
        let verdict = match device {
            // A chip that is made of a program harms nobody.
            Device::None | Device::Tpm(_) => Ok(()),
            Device::Disk(disk) => check_disk(rules, disk),
            Device::Nic(nic) => check_nic(rules, nic),
            Device::Pci(_) => unless_blocked(rules.devices_pci, "a PCI device", "pci"),
            Device::Gpu(_) => unless_blocked(rules.devices_gpu, "a graphics card", "gpu"),
            Device::Usb(_) => unless_blocked(rules.devices_usb, "a USB device", "usb"),
            Device::Unix(node) => match node.kind {
                NodeKind::Char => {
                    unless_blocked(rules.devices_unix_char, "a character device", "unix-char")
                }
                NodeKind::Block => {
                    unless_blocked(rules.devices_unix_block, "a block device", "unix-block")
                }
            },
            Device::Proxy(_) => unless_blocked(rules.devices_proxy, "a proxy", "proxy"),
            Device::Hotplug(_) => {
                let access = rules.devices_unix_hotplug;
                unless_blocked(access, "a device that comes and goes", "unix-hotplug")
            }
        };
        verdict.map_err(|why| format!("device \"{name}\": {why}"))?;
    }
    Ok(())
}

fn unless_blocked(access: Access, what: &str, kind: &str) -> Verdict {
    match access {
        Access::Allow => Ok(()),
        Access::Block => Err(blocked(what, &format!("restricted.devices.{kind}"))),
    }
}

fn check_disk(rules: &Restricted, disk: &Disk) -> Verdict {
    let key = "restricted.devices.disk";
    match (rules.devices_disk, disk.origin()) {
        (_, None | Some(DiskSource::Root { .. } | DiskSource::Drive(_))) => Ok(()),
        (ManagedAccess::Block, _) => Err(blocked("a disk", key)),
        (_, Some(DiskSource::Volume { .. })) => Ok(()),
        (ManagedAccess::Managed, _) => Err(blocked("a path of the host", key)),
        (ManagedAccess::Allow, Some(DiskSource::Host(path))) => match allowed_above(rules, path) {
            Above::Anywhere | Above::Folder(_) => Ok(()),
            Above::Nowhere => {
                Err(blocked(&format!("the path \"{path}\""), "restricted.devices.disk.paths"))
            }
        },
    }
}

/// Where a path of the host may lie.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Above {
    /// No folders are named.
    Anywhere,
    /// It lies in this folder, by name: what is in the folder is nobody's to trust.
    Folder(PathBuf),
    /// It is in none of those that are named.
    Nowhere,
}

/// Which of the folders that are named a path of the host lies in.
pub(crate) fn allowed_above(rules: &Restricted, path: &str) -> Above {
    let Some(folders) = &rules.devices_disk_paths else { return Above::Anywhere };
    let path = Path::new(path);
    if path.components().any(|part| part == Component::ParentDir) {
        return Above::Nowhere;
    }
    let found = folders.0.iter().find(|folder| path.starts_with(folder));
    found.map_or(Above::Nowhere, |folder| Above::Folder(folder.into()))
}

fn check_nic(rules: &Restricted, nic: &Nic) -> Verdict {
    let key = "restricted.devices.nic";
    let network = match nic {
        Nic::Bridged(card) => card.network.as_deref(),
        Nic::P2p(_) => None,
    };
    match (rules.devices_nic, network) {
        (ManagedAccess::Block, _) => Err(blocked("a network card", key)),
        (ManagedAccess::Managed, None) => {
            Err(blocked("a card that is on no network of the server", key))
        }
        (_, Some(name)) => check_network(rules, name),
        (ManagedAccess::Allow, None) => match nic {
            // A bridge of the host may be a network of the server, by another name for the same thing.
            Nic::Bridged(card) => check_network(rules, card.parent.as_deref().unwrap_or_default()),
            Nic::P2p(_) => Ok(()),
        },
    }
}

fn check_network(rules: &Restricted, name: &str) -> Verdict {
    match &rules.networks_access {
        Some(named) if !named.0.iter().any(|one| one == name) => {
            Err(blocked(&format!("network \"{name}\""), "restricted.networks.access"))
        }
        _ => Ok(()),
    }
}
