//! What clients see of snapshots of volumes.

use store::Read;
use wire::{StorageVolume, StorageVolumeSnapshot, StorageVolumeSnapshotPut, Timestamp};

use super::super::Key;
use crate::{
    Error, Result, World,
    db::{
        instances::Made,
        volume_snapshots::{self as rows, Snapshot},
        volumes::Volume,
    },
};

/// Every snapshot of a volume, the oldest first.
pub fn list(world: &World, key: &Key) -> Result<Vec<StorageVolumeSnapshot>> {
    world.store.read(|db| {
        let volume = key.find(db)?;
        let rows = whole(db, &volume)?.into_iter();
        Ok::<_, Error>(rows.map(|row| render(&volume, row)).collect())
    })
}

/// One snapshot.
pub fn get(world: &World, key: &Key, name: &str) -> Result<StorageVolumeSnapshot> {
    world.store.read(|db| {
        let (volume, snapshot) = super::find(db, key, name)?;
        Ok(render(&volume, snapshot))
    })
}

/// The snapshots of a volume as they stand among volumes: `data/snap0`.
pub(crate) fn volumes(
    db: &Read<'_>,
    volume: &Volume,
    location: &str,
) -> Result<Vec<StorageVolume>> {
    let rows = whole(db, volume)?.into_iter();
    let shown = rows.map(|row| StorageVolume {
        name: format!("{}/{}", volume.name, row.name),
        description: row.description,
        r#type: volume.kind.clone(),
        content_type: volume.content.clone(),
        config: row.config.0,
        used_by: Vec::new(),
        location: location.to_owned(),
        project: volume.project.clone(),
        created_at: row.created_at.into(),
        pool: volume.pool.clone(),
    });
    Ok(shown.collect())
}

fn whole(db: &Read<'_>, volume: &Volume) -> Result<Vec<Snapshot>> {
    let mut found = rows::of_volume(db, volume.id)?;
    found.retain(|row| row.made == Made::Ready);
    Ok(found)
}

fn render(volume: &Volume, row: Snapshot) -> StorageVolumeSnapshot {
    StorageVolumeSnapshot {
        expires_at: writable(&row).expires_at,
        name: row.name,
        description: row.description,
        content_type: volume.content.clone(),
        created_at: row.created_at.into(),
        config: row.config.0,
    }
}

/// What a client may edit of a snapshot.
pub(super) fn writable(row: &Snapshot) -> StorageVolumeSnapshotPut {
    StorageVolumeSnapshotPut {
        description: row.description.clone(),
        expires_at: row.expires_at.map_or(Timestamp::NEVER, Timestamp::from),
    }
}
