//! What goes into a volume's backup: the rows as an index, its files or disk, and those of its snapshots.

use images::backup::{Config, Index};
use storage::{Access, Attached, View};
use wire::{BackupVolumeSnapshot, StorageVolumeSnapshot};

use super::Key;
use crate::{
    Result, World,
    backups::{Contents, Job, Out, Part},
    blocking::blocking,
    volumes::{self, snapshots},
};

/// What the volume and the folder of its snapshots are called in the file.
pub(super) const NAMES: [&str; 2] = ["backup/volume", "backup/volume-snapshots"];

pub(super) async fn write(world: &World, key: &Key, job: Job) -> Result<()> {
    let index = index(world, key, job.without_snapshots).await?;
    let pool = world.pools.open(world, &job.pool).await?;
    blocking("write backup", move || {
        job.volume(&Contents { pool: &pool, index: &index, names: NAMES, part: &pack })
    })
    .await
}

/// The index of a volume as it is now.
async fn index(world: &World, key: &Key, without_snapshots: bool) -> Result<Index> {
    let Key { pool, project, name } = key;
    let mut volume = volumes::get(world, pool, project, "custom", name).await?;
    // Who uses it here means nothing elsewhere.
    volume.used_by.clear();
    let kept = match without_snapshots {
        true => Vec::new(),
        false => snapshots::list(world, key)?,
    };
    let pool = crate::storage::get(world, pool)?;
    Ok(Index {
        name: name.clone(),
        backend: pool.driver.clone(),
        pool: pool.name.clone(),
        snapshots: kept.iter().map(|one| one.name.clone()).collect(),
        r#type: String::from("custom"),
        config: Some(Config {
            pool: Some(pool),
            volume: Some(volume),
            volume_snapshots: kept.into_iter().map(of_backup).collect(),
            ..Config::default()
        }),
        ..Index::default()
    })
}

fn of_backup(snapshot: StorageVolumeSnapshot) -> BackupVolumeSnapshot {
    BackupVolumeSnapshot {
        name: snapshot.name,
        description: snapshot.description,
        config: snapshot.config,
        content_type: snapshot.content_type,
        created_at: snapshot.created_at,
        expires_at: snapshot.expires_at,
    }
}

fn pack(tarball: &mut Out<'_>, part: &Part<'_>) -> Result<()> {
    let Some(attached) = part.attached else { return Ok(()) };
    if let Attached::Block(disk) = attached {
        return Ok(tarball.disk(disk, &format!("{}.img", part.name))?);
    }
    let view = View::open(attached, Access::Read)?;
    Ok(tarball.tree(&view.path(), &part.name)?)
}
