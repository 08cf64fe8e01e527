//! The disks of a machine: what is behind each, and which the firmware tries first.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    fs::{File, OpenOptions},
    os::{fd::OwnedFd, unix::fs::FileTypeExt},
    path::Path,
};

use options::device::{Device, Disk, DiskSource};
use storage::Attached;
use vm::Medium;

use crate::{Error, Result, World, blocking::blocking, db::instances::Instance, volumes::Key};

/// What a disk device gives a machine, open.
pub(super) struct Opened {
    pub(super) file: OwnedFd,
    /// Whether it is a block device.
    pub(super) device: bool,
    pub(super) medium: Medium,
    pub(super) readonly: bool,
}

/// Whether it is a folder of the host, or a path in a volume, which a machine cannot have as a disk.
pub(super) fn is_folder(disk: &Disk) -> bool {
    match disk.origin() {
        Some(DiskSource::Host(path)) => Path::new(path).is_dir(),
        Some(DiskSource::Volume { path, .. }) => path.is_some() || disk.path.is_some(),
        _ => false,
    }
}

/// Opens what is behind a disk; `None` where it is not there and need not be.
pub(super) async fn open(
    world: &World,
    instance: &Instance,
    disk: &Disk,
) -> Result<Option<Opened>> {
    let (attached, medium) = match disk.origin() {
        None => return Ok(None),
        Some(DiskSource::Root { pool }) => {
            let (pool, volume) = (world.pools.open(world, pool).await?, instance.root()?);
            // It is attached already; this only tells where.
            (blocking("attach root", move || pool.attach(&volume)).await?, Medium::Disk)
        }
        Some(DiskSource::Host(path)) => {
            let medium = if path.ends_with(".iso") { Medium::Disc } else { Medium::Disk };
            if !disk.required && !Path::new(path).exists() {
                return Ok(None);
            }
            (Attached::Block(path.into()), medium)
        }
        Some(DiskSource::Volume { pool, volume, .. }) => {
            let found = world.store.read(|db| {
                let key = Key::of(db, pool, &instance.project, volume)?;
                let row = key.find(db)?;
                Ok::<_, Error>((key.on_disk()?, row.content))
            });
            let (id, content) = match found {
                Err(Error::NotFound { .. }) if !disk.required => return Ok(None),
                found => found?,
            };
            let medium = if content == "iso" { Medium::Disc } else { Medium::Disk };
            let pool = world.pools.open(world, pool).await?;
            (blocking("attach volume", move || pool.attach(&id)).await?, medium)
        }
    };
    let Attached::Block(path) = attached else {
        return Err(Error::Unsupported("a volume of files as a disk of a virtual machine"));
    };
    let readonly = disk.readonly || medium == Medium::Disc;
    let opened = blocking("open disk", move || {
        let file = OpenOptions::new().read(true).write(!readonly).open(&path);
        let looked = file.and_then(|file: File| Ok((file.metadata()?.file_type(), file)));
        looked.map_err(Error::file("open", &path))
    });
    let (kind, file) = opened.await?;
    Ok(Some(Opened { file: file.into(), device: kind.is_block_device(), medium, readonly }))
}

/// Which the firmware tries first, from 1, as QEMU has 0 for a kernel without firmware: by `boot.priority`, then the root, then discs and other disks. Cards
/// only if they have a priority: a machine without a system should say so at once, not after the network
/// was tried.
pub(super) fn boot_order(devices: &BTreeMap<String, Device>) -> BTreeMap<&str, u32> {
    let rank = |device: &Device| match device {
        Device::Disk(disk) => Some((disk.boot_priority.unwrap_or(0), disk.is_root())),
        Device::Nic(nic) => nic.boot_priority().map(|priority| (priority, false)),
        Device::None => None,
    };
    let mut all: Vec<_> =
        devices.iter().filter_map(|(name, device)| Some((Reverse(rank(device)?), name))).collect();
    all.sort();
    all.into_iter().zip(1..).map(|((_, name), at)| (name.as_str(), at)).collect()
}
