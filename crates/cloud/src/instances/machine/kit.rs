//! The disks of a machine: what is behind each, and which the firmware tries first.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    fs::{self, OpenOptions},
    os::{fd::OwnedFd, unix::fs::FileTypeExt},
    path::{Path, PathBuf},
};

use options::{
    DiskRate,
    device::{Device, Disk, DiskBus, DiskCache, DiskSource},
};
use storage::{Attached, VolumeId};
use vm::{Bus, Cache, Manner, Medium, Rate};

use crate::{
    Error, Result, World,
    blocking::blocking,
    db::instances::Instance,
    storage::OpenPool,
    volumes::{Key, keeper},
};

/// What a disk device gives a machine, open.
pub(super) struct Opened {
    pub(super) file: OwnedFd,
    /// Whether it is a block device.
    pub(super) device: bool,
    pub(super) medium: Medium,
    pub(super) readonly: bool,
}

/// How a machine uses a disk.
pub(super) fn manner(disk: &Disk) -> Manner {
    let (read, write) = rates(disk);
    let bus = match disk.io_bus {
        DiskBus::VirtioScsi => Bus::Scsi,
        DiskBus::VirtioBlk => Bus::Virtio,
        DiskBus::Nvme => Bus::Nvme,
    };
    let cache = match disk.io_cache {
        DiskCache::None => Cache::None,
        DiskCache::Writeback => Cache::Writeback,
        DiskCache::Unsafe => Cache::Unsafe,
    };
    Manner { bus, cache, read, write }
}

/// How much of a disk may be read and written.
pub(super) fn rates(disk: &Disk) -> (Rate, Rate) {
    let rate = |rate: Option<DiskRate>| match rate {
        None => Rate::default(),
        Some(DiskRate::Bytes(size)) => Rate { bytes: size.bytes(), operations: 0 },
        Some(DiskRate::Operations(operations)) => Rate { bytes: 0, operations },
    };
    let (read, write) = disk.rates();
    (rate(read), rate(write))
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
    match disk.origin() {
        None => Ok(None),
        Some(DiskSource::Root { pool }) => {
            let pool = world.pools.open(world, pool).await?;
            // Who starts it has it attached.
            of_volume(pool, instance.root()?, (Medium::Disk, disk.readonly), Keep::Open)
                .await
                .map(Some)
        }
        Some(DiskSource::Host(path)) => {
            let (path, readonly) = (PathBuf::from(path), disk.readonly);
            if !disk.required && !path.exists() {
                return Ok(None);
            }
            let is_disc = path.extension().is_some_and(|it| it.eq_ignore_ascii_case("iso"));
            let medium = if is_disc { Medium::Disc } else { Medium::Disk };
            blocking("open disk", move || opened(&path, medium, readonly)).await.map(Some)
        }
        Some(DiskSource::Drive(drive)) => {
            super::drive::disc(world, instance, drive).await.map(Some)
        }
        Some(DiskSource::Volume { pool, volume, .. }) => {
            let found = world.store.read(|db| {
                let key = Key::of(db, pool, &instance.project, volume)?;
                let row = key.find(db)?;
                let shared = crate::storage::is_shared(&crate::storage::find(db, pool)?.driver);
                Ok::<_, Error>((key, row, if shared { Keep::Attached } else { Keep::Open }))
            });
            let (key, row, keep) = match found {
                Err(Error::NotFound { .. }) if !disk.required => return Ok(None),
                found => found?,
            };
            keeper::take(world, &key, &row).await?;
            let (id, content) = (key.on_disk()?, row.content);
            let medium = if content == "iso" { Medium::Disc } else { Medium::Disk };
            let pool = world.pools.open(world, pool).await?;
            of_volume(pool, id, (medium, disk.readonly), keep).await.map(Some)
        }
    }
}

/// What a disk is to the guest, of those that [`take_over`] opens.
pub(super) fn medium(world: &World, instance: &Instance, disk: &Disk) -> Result<Medium> {
    let Some(DiskSource::Volume { pool, volume, .. }) = disk.origin() else {
        return Ok(Medium::Disk);
    };
    let row = world.store.read(|db| Key::of(db, pool, &instance.project, volume)?.find(db))?;
    Ok(if row.content == "iso" { Medium::Disc } else { Medium::Disk })
}

/// The volume that a disk of an instance is, and its pool.
pub(crate) async fn volume_of(
    world: &World,
    instance: &Instance,
    disk: &Disk,
) -> Result<(OpenPool, VolumeId)> {
    let (pool, id) = match disk.origin() {
        Some(DiskSource::Root { pool }) => (pool, instance.root()?),
        Some(DiskSource::Volume { pool, volume, .. }) => {
            let key = world.store.read(|db| Key::of(db, pool, &instance.project, volume))?;
            (pool, key.on_disk()?)
        }
        _ => return Err(Error::Unsupported("a disk of this server on another one")),
    };
    Ok((world.pools.open(world, pool).await?, id))
}

/// Opens a disk in a pool that members share, which another one has attached still, and is done with.
pub(super) async fn take_over(world: &World, instance: &Instance, disk: &Disk) -> Result<Opened> {
    let (pool, id) = volume_of(world, instance, disk).await?;
    let (medium, readonly) = (medium(world, instance, disk)?, disk.readonly);
    blocking("take over disk", move || opened(&pool.take_over(&id)?, medium, readonly)).await
}

/// What is kept of a volume that was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    /// The descriptor, which is all that is needed of it.
    Open,
    /// It stays attached: a pool that members share lets go of what is not (`attach::release`).
    Attached,
}

/// Opens the disk that a volume is.
async fn of_volume(
    pool: OpenPool,
    id: VolumeId,
    (medium, readonly): (Medium, bool),
    keep: Keep,
) -> Result<Opened> {
    blocking("open disk", move || {
        let done = match pool.attach(&id)? {
            Attached::Block(path) => opened(&path, medium, readonly),
            _ => Err(Error::Unsupported("a volume of files as a disk of a virtual machine")),
        };
        if keep == Keep::Open || done.is_err() {
            pool.detach(&id)?;
        }
        done
    })
    .await
}

fn opened(path: &Path, medium: Medium, readonly: bool) -> Result<Opened> {
    let readonly = readonly || medium == Medium::Disc;
    let kind = fs::metadata(path).map_err(Error::file("look at", path))?.file_type();
    // The opening of a pipe would wait for somebody at its other end.
    if !kind.is_file() && !kind.is_block_device() {
        let why = format!("\"{}\" is neither a file nor a block device", path.display());
        return Err(Error::invalid("source", why));
    }
    let file = OpenOptions::new().read(true).write(!readonly).open(path);
    let file = file.map_err(Error::file("open", path))?;
    Ok(Opened { file: file.into(), device: kind.is_block_device(), medium, readonly })
}

/// Which the firmware tries first, from 1, as QEMU has 0 for a kernel without firmware: by `boot.priority`, then
/// the root, then discs and other disks. Cards only if they have a priority: a machine without a system should say
/// so at once, not after the network was tried.
pub(super) fn boot_order(devices: &BTreeMap<String, Device>) -> BTreeMap<&str, u32> {
    let rank = |device: &Device| match device {
        Device::Disk(disk) => Some((disk.boot_priority.unwrap_or(0), disk.is_root())),
        Device::Nic(nic) => nic.boot_priority().map(|priority| (priority, false)),
        _ => None,
    };
    let mut all: Vec<_> =
        devices.iter().filter_map(|(name, device)| Some((Reverse(rank(device)?), name))).collect();
    all.sort();
    all.into_iter().zip(1..).map(|((_, name), at)| (name.as_str(), at)).collect()
}
