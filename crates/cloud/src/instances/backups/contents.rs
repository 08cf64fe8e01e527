//! What goes into a backup's file: the rows as an index, and the files of the root and its snapshots.

use std::{fs::File, io::BufWriter, path::Path};

use exec::Control;
use images::{
    Packing, Tarball,
    backup::{Config, INDEX, Index},
};
use storage::{Access, Attached, View, VolumeId};
use wire::{BackupVolumeSnapshot, ConfigMap, InstanceSnapshot, StorageVolume};

use crate::{
    Error, Result, World,
    instances::{
        list::{self, Depth},
        snapshots,
    },
    storage::OpenPool,
};

/// Bytes gathered before they are written.
const BUFFER: usize = 1 << 20;

/// The index of an instance as it is now.
pub(super) async fn index(
    world: &World,
    project: &str,
    name: &str,
    instance_only: bool,
) -> Result<Index> {
    let mut instance = list::get(world, project, name, Depth::Plain).await?.instance;
    let mut kept = match instance_only {
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

/// The volumes that are read.
pub(super) struct Source {
    pub(super) pool: OpenPool,
    /// The instance's root, which has the snapshots.
    pub(super) volume: VolumeId,
    /// What is read as its root: itself, or a copy that nobody writes to.
    pub(super) root: VolumeId,
}

impl Source {
    /// Writes the whole file, durably. The files are read and packed as they come: nothing of them
    /// is held in memory.
    pub(super) fn write(
        &self,
        index: &Index,
        to: &Path,
        packing: Packing,
        control: &Control,
    ) -> Result<()> {
        let file = File::create(to).map_err(Error::file("create", to))?;
        let out = BufWriter::with_capacity(BUFFER, file);
        let mut tarball = Tarball::new(out, packing, "write backup", control)?;
        tarball.text(INDEX, index.text()?.as_bytes())?;
        if !index.snapshots.is_empty() {
            tarball.folder("backup/snapshots")?;
        }
        for name in &index.snapshots {
            let snapshots = self.pool.snapshots();
            let snapshots = snapshots.ok_or(Error::Unsupported("a snapshot in this pool"))?;
            let attached = snapshots.attach(&self.volume, name)?;
            self.part(&mut tarball, &format!("backup/snapshots/{name}"), &attached, None)?;
        }
        let attached = self.pool.attach(&self.root)?;
        let rows = index.config.as_ref().map(Config::text).transpose()?;
        let written = self.part(&mut tarball, "backup/container", &attached, rows);
        written.and(self.pool.detach(&self.root).map_err(Error::from))?;
        let out = tarball.finish()?.into_inner();
        let file = out.map_err(|error| Error::file("write", to)(error.into_error()))?;
        file.sync_all().map_err(Error::file("sync", to))
    }

    /// An instance's files beneath `name`.
    fn part(
        &self,
        tarball: &mut Tarball<'_, BufWriter<File>>,
        name: &str,
        attached: &Attached,
        rows: Option<String>,
    ) -> Result<()> {
        tarball.folder(name)?;
        if let Some(rows) = rows {
            tarball.text(&format!("{name}/backup.yaml"), rows.as_bytes())?;
        }
        let beside = self.pool.folder(&self.volume)?;
        let (metadata, templates) = (beside.join("metadata.yaml"), beside.join("templates"));
        if metadata.exists() {
            tarball.file(&metadata, &format!("{name}/metadata.yaml"))?;
        }
        if templates.exists() {
            tarball.tree(&templates, &format!("{name}/templates"))?;
        }
        let view = View::open(attached, Access::Read)?;
        Ok(tarball.tree(&view.path(), &format!("{name}/rootfs"))?)
    }
}
