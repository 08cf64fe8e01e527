//! The files of a volume out of a backup, or of another file that a client sent.

use std::path::{Path, PathBuf};

use exec::Control;
use images::{Limits, backup::Index};
use storage::{FillError, Shape, VolumeId};

use crate::{Error, Result, blocking::blocking, storage::OpenPool};

/// What is to be unpacked, and where to.
#[derive(Clone)]
pub(crate) struct Unpack {
    /// The file.
    pub(crate) file: PathBuf,
    /// Where the volume is made.
    pub(crate) pool: OpenPool,
    /// The volume.
    pub(crate) volume: VolumeId,
    /// A volume on its way to become a snapshot, which nothing else is called.
    pub(crate) side: VolumeId,
    /// What it is to be.
    pub(crate) shape: Shape,
    /// Progress and cancel.
    pub(crate) control: Control,
}

/// Writes a volume of a part of a file, into a folder.
pub(crate) type Write = fn(&Unpack, part: &str, into: &Path) -> Result<(), FillError>;

/// The index of a backup.
pub(crate) async fn index(file: &Path) -> Result<Index> {
    let file = file.to_owned();
    blocking("look into backup", move || Index::of(&file, &Control::none())).await
}

/// How much may come out of a file: no more than there is room.
pub(crate) fn limits(pool: &OpenPool) -> storage::Result<Limits> {
    let room = pool.usage()?;
    Ok(Limits::of_backup(room.total.saturating_sub(room.used)))
}

/// Unpacks a disk.
pub(crate) fn disk(unpack: &Unpack, part: &str, into: &Path) -> Result<(), FillError> {
    let limits = limits(&unpack.pool)?;
    let to = into.join("root.img");
    images::unpack_disk(&unpack.file, Path::new(part), &to, &limits, &unpack.control)?;
    Ok(())
}

impl Unpack {
    /// Makes the volume of a part of the file; one that is there is this one.
    pub(crate) async fn whole(&self, part: &'static str, write: Write) -> Result<()> {
        let unpack = self.clone();
        blocking("unpack files", move || match unpack.pool.exists(&unpack.volume)? {
            true => Ok(()),
            false => unpack.one(&unpack.volume, part, write),
        })
        .await
    }

    /// Makes its snapshots of parts of the file: name and part.
    pub(crate) async fn snapshots(&self, parts: Vec<(String, String)>, write: Write) -> Result<()> {
        let unpack = self.clone();
        blocking("unpack snapshots", move || {
            for (name, part) in parts {
                let Some(snapshots) = unpack.pool.snapshots() else {
                    return Err(Error::Unsupported("a snapshot in a storage pool of this driver"));
                };
                if snapshots.list(&unpack.volume)?.contains(&name) {
                    continue;
                }
                unpack.pool.delete(&unpack.side)?;
                unpack.one(&unpack.side, &part, write)?;
                snapshots.adopt(&unpack.side, &unpack.volume, &name)?;
            }
            Ok(())
        })
        .await
    }

    fn one(&self, volume: &VolumeId, part: &str, write: Write) -> storage::Result<()> {
        let mut fill = |into: &Path| write(self, part, into);
        self.pool.create(volume, &self.shape, Some(&mut fill), &self.control)
    }

    /// Deletes what did not become a snapshot.
    pub(crate) async fn delete_side(&self) -> Result<()> {
        let (pool, side) = (self.pool.clone(), self.side.clone());
        blocking("delete what is half unpacked", move || pool.delete(&side)).await
    }
}
