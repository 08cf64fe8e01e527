//! What goes into an instance's backup: the rows as an index, and the files of the root and its snapshots.

use std::{
    fs::File,
    io::{Seek, SeekFrom},
    path::Path,
    sync::Arc,
};

use images::backup::{Config, Index};
use storage::{Access, Attached, View};
use wire::{BackupVolumeSnapshot, ConfigMap, InstanceSnapshot, StorageVolume};

use super::Of;
use crate::{
    Error, Result, World,
    backups::{Contents, Job, Out, Part},
    blocking::blocking,
    instances::{
        Kind,
        list::{self, Depth},
        snapshots,
    },
};

/// What an instance and the folder of its snapshots are called in the file.
pub(super) fn names(kind: Kind) -> [&'static str; 2] {
    match kind {
        Kind::Container => ["backup/container", "backup/snapshots"],
        Kind::VirtualMachine => ["backup/virtual-machine", "backup/virtual-machine-snapshots"],
    }
}

pub(super) async fn write(world: &World, of: &Of, job: Job) -> Result<()> {
    let index = index(world, of, job.without_snapshots).await?;
    let rows = index.config.as_ref().map(Config::text).transpose()?;
    let pool = world.pools.open(world, &job.pool).await?;
    let cache = world.dirs.cache();
    blocking("write backup", move || {
        let blank = job.blank.then_some(&*cache);
        let part =
            |tarball: &mut Out<'_>, part: &Part<'_>| pack(tarball, part, rows.as_deref(), blank);
        let names = names(Kind::of(&index.r#type));
        job.volume(&Contents { pool: &pool, index: &index, names, part: &part })
    })
    .await
}

/// The index of an instance as it is now.
async fn index(world: &World, of: &Of, without_snapshots: bool) -> Result<Index> {
    let (project, name) = (of.project.as_str(), of.instance.as_str());
    let found = list::get(world, project, name, Depth::Plain).await?.instance;
    let mut instance = Arc::unwrap_or_clone(found);
    let mut kept = match without_snapshots {
        true => Vec::new(),
        false => snapshots::list(world, project, name)?,
    };
    known(&mut instance.config, &mut instance.expanded_config);
    kept.iter_mut().for_each(|one| known(&mut one.config, &mut one.expanded_config));
    let kind = Kind::from(instance.r#type);
    let pool = world.store.read(|db| snapshots::pool_of(db, project, name))?;
    let pool = crate::storage::get(world, &pool)?;
    let profile = |profile: &String| crate::profiles::get(world, project, profile);
    let profiles = instance.profiles.iter().map(profile).collect::<Result<_>>()?;
    let volume = StorageVolume {
        name: name.to_owned(),
        r#type: kind.word().to_owned(),
        content_type: content(kind),
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
        r#type: kind.word().to_owned(),
        config: Some(Config {
            volume_snapshots: kept.iter().map(|one| of_volume(kind, one)).collect(),
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

fn content(kind: Kind) -> String {
    let word = match kind {
        Kind::Container => "filesystem",
        Kind::VirtualMachine => "block",
    };
    word.to_owned()
}

fn of_volume(kind: Kind, snapshot: &InstanceSnapshot) -> BackupVolumeSnapshot {
    BackupVolumeSnapshot {
        name: snapshot.name.clone(),
        content_type: content(kind),
        created_at: snapshot.created_at,
        expires_at: snapshot.expires_at,
        ..BackupVolumeSnapshot::default()
    }
}

/// Packs an instance's files, and beside them as they are now its rows. `blank`: the disk as it is now is none, but
/// as large; it is made in that folder.
fn pack(
    tarball: &mut Out<'_>,
    part: &Part<'_>,
    rows: Option<&str>,
    blank: Option<&Path>,
) -> Result<()> {
    let name = &part.name;
    tarball.folder(name)?;
    if let Some(rows) = rows.filter(|_| part.is_now) {
        tarball.text(&format!("{name}/backup.yaml"), rows.as_bytes())?;
    }
    let metadata = part.beside.join("metadata.yaml");
    if metadata.exists() {
        tarball.file(&metadata, &format!("{name}/metadata.yaml"))?;
    }
    for folder in ["templates", "boot", "nvram"] {
        let there = part.beside.join(folder);
        if there.exists() {
            tarball.tree(&there, &format!("{name}/{folder}"))?;
        }
    }
    let Some(attached) = part.attached else { return Ok(()) };
    if let Attached::Block(disk) = attached {
        if let Some(cache) = blank.filter(|_| part.is_now) {
            return Ok(tarball.open(as_large(disk, cache)?, &format!("{name}.img"))?);
        }
        return Ok(tarball.disk(disk, &format!("{name}.img"))?);
    }
    let view = View::open(attached, Access::Read)?;
    Ok(tarball.tree(&view.path(), &format!("{name}/rootfs"))?)
}

/// A file that is as large as a disk, and has nothing in it.
fn as_large(disk: &Path, cache: &Path) -> Result<File> {
    let size = File::open(disk).and_then(|mut disk| disk.seek(SeekFrom::End(0)));
    let size = size.map_err(Error::file("measure", disk))?;
    let made = tempfile::tempfile_in(cache).and_then(|file| file.set_len(size).map(|()| file));
    made.map_err(Error::file("make a blank disk in", cache))
}
