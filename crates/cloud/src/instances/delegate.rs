//! Datasets of ZFS that a container manages itself (`zfs.delegate`): its root, and volumes it has.
//!
//! It needs the device by which ZFS is told what to do, and its user namespace needs to be known to ZFS before its
//! first process runs. ZFS lets no namespace go that it knows: what it knows of one is lost at the next boot.

use std::os::linux::fs::MetadataExt;
use std::path::{Path, PathBuf};

use options::device::DiskSource;
use rustix::fs::{major, minor};
use spec::DeviceNode;
use storage::VolumeId;

use super::{guests::Guest, options::Typed};
use crate::{
    Error, Result, World, blocking::blocking, db::instances::Instance, storage::OpenPool,
    volumes::Key,
};

/// What ZFS is told by.
const DEVICE: &str = "/dev/zfs";

/// A volume that is delegated.
pub(super) struct Delegated {
    pool: OpenPool,
    volume: VolumeId,
}

/// Those of a container. A privileged one has no namespace that they could be given to.
pub(super) async fn of(
    world: &World,
    instance: &Instance,
    typed: &Typed,
) -> Result<Vec<Delegated>> {
    if typed.options.security.privileged {
        return Ok(Vec::new());
    }
    let mut named = vec![(typed.root_pool()?.to_owned(), instance.root()?)];
    for disk in typed.devices.values().filter_map(|device| device.disk()) {
        if let Some(DiskSource::Volume { pool, volume, path: None }) = disk.origin() {
            match world.store.read(|db| Key::of(db, pool, &instance.project, volume)) {
                // The start goes on without it.
                Err(Error::NotFound { .. }) if !disk.required => {}
                key => named.push((pool.to_owned(), key?.on_disk()?)),
            }
        }
    }
    let mut all = Vec::new();
    for (pool, volume) in named {
        all.push(Delegated { pool: world.pools.open(world, &pool).await?, volume });
    }
    blocking("look at volumes", move || {
        let mut delegated = Vec::new();
        for one in all {
            if one.pool.exists(&one.volume)? && one.pool.delegates(&one.volume)? {
                delegated.push(one);
            }
        }
        Ok::<_, storage::Error>(delegated)
    })
    .await
}

/// The device that a container needs to manage datasets.
pub(super) fn device() -> Result<DeviceNode> {
    let number =
        std::fs::metadata(DEVICE).map_err(Error::file("look at", Path::new(DEVICE)))?.st_rdev();
    let node = DeviceNode::character(DEVICE, major(number), minor(number));
    // As the host's: ZFS itself sees who may do what.
    Ok(DeviceNode { mode: 0o666, ..node })
}

/// Gives them to a container whose first process waits.
pub(super) async fn give(
    world: &World,
    guest: &Guest,
    instance: &Instance,
    typed: &Typed,
) -> Result<()> {
    if !guest.spec().devices.iter().any(|node| node.path == Path::new(DEVICE)) {
        return Ok(());
    }
    let delegated = of(world, instance, typed).await?;
    let held = guest.clone();
    blocking("delegate volumes", move || {
        let pid = held.monitor().info()?.pid;
        let namespace = PathBuf::from(format!("/proc/{pid}/ns/user"));
        for Delegated { pool, volume } in &delegated {
            pool.delegate(volume, &namespace)?;
        }
        Ok::<_, Error>(())
    })
    .await
}
