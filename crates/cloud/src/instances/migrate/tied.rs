//! What ties an instance to the member that has it.

use options::device::{Device, DiskSource, Nic};
use store::Read;

use crate::{Error, Result, db::instances::Instance, expand, instances::options::Typed, volumes};

/// A device that ties it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tie {
    pub(crate) device: String,
    /// Whether the instance could not start elsewhere at all, as what the device names is on this member alone. Of
    /// others, such as a folder of the host, only its owner knows.
    pub(crate) surely: bool,
    pub(crate) what: String,
}

/// The devices that may not be had on another member.
pub(crate) fn ties(db: &Read<'_>, row: &Instance) -> Result<Vec<Tie>> {
    let typed = Typed::parse(&expand::expand(db, row)?)?;
    let mut found = Vec::new();
    for (name, device) in &typed.devices {
        let tie = match device {
            Device::Disk(disk) => match disk.origin() {
                Some(DiskSource::Volume { pool, volume, .. }) => {
                    let home = volumes::home(db, &row.project)?;
                    let volume = crate::db::volumes::get(db, pool, &home, volume)?;
                    let shared = crate::storage::find(db, pool)?.driver;
                    let volume = volume.filter(|_| !crate::storage::is_shared(&shared));
                    volume.map(|it| (true, format!("volume {} of member {}", it.name, it.member)))
                }
                Some(DiskSource::Host(path)) => Some((false, format!("{path} of the host"))),
                Some(DiskSource::Root { .. } | DiskSource::Drive(_)) | None => None,
            },
            Device::Nic(nic) => match &**nic {
                Nic::Bridged(card) if card.network.is_some() => None,
                Nic::P2p(_) => None,
                _ => Some((false, String::from("a network of the host"))),
            },
            Device::Pci(_)
            | Device::Gpu(_)
            | Device::Usb(_)
            | Device::Unix(_)
            | Device::Hotplug(_) => Some((false, String::from("a device of the host"))),
            Device::None | Device::Tpm(_) | Device::Proxy(_) => None,
        };
        found.extend(tie.map(|(surely, what)| Tie { device: name.clone(), surely, what }));
    }
    Ok(found)
}

/// Fails where it could not start on another member.
pub(super) fn check(db: &Read<'_>, row: &Instance) -> Result<()> {
    match ties(db, row)?.into_iter().find(|tie| tie.surely) {
        Some(Tie { device, what, .. }) => {
            let why = format!("device \"{device}\" is {what}, which stays there: remove it first");
            Err(Error::invalid("move", why))
        }
        None => Ok(()),
    }
}
