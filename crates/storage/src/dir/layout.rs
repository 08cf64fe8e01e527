//! Where things are in a pool's folder. The paths and nothing else.
//!
//! ```text
//! pool.json                    which driver, which version
//! recovery.json                what whoever opened the pool keeps with it
//! .lock                        held for moments: publishing, deleting
//! tmp/<n>/                     being built; a build holds a lock on its folder
//! trash/<n>/                   being removed
//! images/<name>/               volume.json rootfs/ metadata.yaml templates/ [deleted]
//! containers/<name>/           volume.json upper/ work/ (or rootfs/) metadata.yaml templates/
//! virtual-machines/<name>/     volume.json root.img
//! custom/<name>/               volume.json data/ (or root.img)
//! buckets/<name>/              volume.json data/
//!     .../snapshots/<name>/    the same again, without snapshots
//! ```

use std::path::PathBuf;

use crate::{VolumeId, VolumeKind};

/// The folder of a pool.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: impl Into<PathBuf>) -> Layout {
        Layout { root: root.into() }
    }

    pub(crate) fn marker(&self) -> PathBuf {
        self.root.join("pool.json")
    }

    pub(crate) fn record(&self) -> PathBuf {
        self.root.join("recovery.json")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join(".lock")
    }

    pub(crate) fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    pub(crate) fn trash(&self) -> PathBuf {
        self.root.join("trash")
    }

    pub(crate) fn kind(&self, kind: VolumeKind) -> PathBuf {
        self.root.join(kind.folder())
    }

    pub(crate) fn volume(&self, id: &VolumeId) -> Place {
        Place { folder: self.kind(id.kind).join(&id.name) }
    }

    /// The folders directly in the pool.
    pub(crate) fn folders(&self) -> impl Iterator<Item = PathBuf> + '_ {
        VolumeKind::ALL.iter().map(|kind| self.kind(*kind)).chain([self.tmp(), self.trash()])
    }
}

/// The folder of a volume, a snapshot, or one being built.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
}

impl Place {
    pub(crate) fn meta(&self) -> PathBuf {
        self.folder.join("volume.json")
    }

    /// Marks an image that was deleted while volumes stand on it.
    pub(crate) fn deleted(&self) -> PathBuf {
        self.folder.join("deleted")
    }

    pub(crate) fn rootfs(&self) -> PathBuf {
        self.folder.join("rootfs")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub(crate) fn disk(&self) -> PathBuf {
        self.folder.join("root.img")
    }

    pub(crate) fn upper(&self) -> PathBuf {
        self.folder.join("upper")
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.folder.join("work")
    }

    pub(crate) fn snapshots(&self) -> PathBuf {
        self.folder.join("snapshots")
    }

    pub(crate) fn snapshot(&self, name: &str) -> Place {
        Place { folder: self.snapshots().join(name) }
    }
}
