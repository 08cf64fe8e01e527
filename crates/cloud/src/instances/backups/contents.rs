//! What goes into an instance's backup: the rows as an index, and the files of the root and its snapshots.

use images::backup::{Config, Index};
use storage::{Access, View};
use wire::{BackupVolumeSnapshot, ConfigMap, InstanceSnapshot, StorageVolume};

use super::Of;
use crate::{
    Result, World,
    backups::{Contents, Job, Out, Part},
    blocking::blocking,
    instances::{
        list::{self, Depth},
        snapshots,
    },
};

pub(super) async fn write(world: &World, of: &Of, job: Job) -> Result<()> {
    let index = index(world, of, job.without_snapshots).await?;
    let rows = index.config.as_ref().map(Config::text).transpose()?;
    let pool = world.pools.open(world, &job.pool).await?;
    blocking("write backup", move || {
        let part = |tarball: &mut Out<'_>, part: &Part<'_>| pack(tarball, part, rows.as_deref());
        let names = ["backup/container", "backup/snapshots"];
        job.volume(&Contents { pool: &pool, index: &index, names, part: &part })
    })
    .await
}

/// The index of an instance as it is now.
async fn index(world: &World, of: &Of, without_snapshots: bool) -> Result<Index> {
    let (project, name) = (of.project.as_str(), of.instance.as_str());
    let mut instance = list::get(world, project, name, Depth::Plain).await?.instance;
    let mut kept = match without_snapshots {
        true => Vec::new(),
        false => snapshots::list(world, project, name)?,
    };
    known(&mut instance.config, &mut instance.expanded_config);
    kept.iter_mut().for_each(|one| known(&mut one.config, &mut one.expanded_config));
    let pool = world.store.read(|db| snapshots::pool_of(db, project, name))?;
    let pool = crate::storage::get(world, &pool)?;
    let profile = |profile: &String| crate::profiles::get(world, project, profile);
    let profiles = instance.profiles.iter().map(profile).collect::<Result<_>>()?;
    let volume = StorageVolume {
        name: name.to_owned(),
        r#type: String::from("container"),
        content_type: String::from("filesystem"),
        location: instance.location.clone(),
        project: project.to_owned(),
        created_at: instance.created_at,
        ..StorageVolume::default()
    };
    Ok(Index {
        name: name.to_owned(),
        backend: pool.driver.clone(),
        pool: pool.name.clone(),
        snapshots: kept.iter().map(|snapshot| snapshot.name.clone()).collect(),
        r#type: String::from("container"),
        config: Some(Config {
            volume_snapshots: kept.iter().map(of_volume).collect(),
            container: Some(instance),
            snapshots: kept,
            pool: Some(pool),
            profiles,
            volume: Some(volume),
            ..Config::default()
        }),
        ..Index::default()
    })
}

/// Leaves out what an older LXD refuses and any server makes anew.
fn known(config: &mut ConfigMap, expanded: &mut ConfigMap) {
    for map in [config, expanded] {
        map.remove("volatile.uuid.generation");
    }
}

fn of_volume(snapshot: &InstanceSnapshot) -> BackupVolumeSnapshot {
    BackupVolumeSnapshot {
        name: snapshot.name.clone(),
        content_type: String::from("filesystem"),
        created_at: snapshot.created_at,
        expires_at: snapshot.expires_at,
        ..BackupVolumeSnapshot::default()
    }
}

/// Packs an instance's files, and beside them as they are now its rows.
fn pack(tarball: &mut Out<'_>, part: &Part<'_>, rows: Option<&str>) -> Result<()> {
    let name = &part.name;
    tarball.folder(name)?;
    if let Some(rows) = rows.filter(|_| part.is_now) {
        tarball.text(&format!("{name}/backup.yaml"), rows.as_bytes())?;
    }
    let (metadata, templates) = (part.beside.join("metadata.yaml"), part.beside.join("templates"));
    if metadata.exists() {
        tarball.file(&metadata, &format!("{name}/metadata.yaml"))?;
    }
    if templates.exists() {
        tarball.tree(&templates, &format!("{name}/templates"))?;
    }
    let Some(attached) = part.attached else { return Ok(()) };
    let view = View::open(attached, Access::Read)?;
    Ok(tarball.tree(&view.path(), &format!("{name}/rootfs"))?)
}
