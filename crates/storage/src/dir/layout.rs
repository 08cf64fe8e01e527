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
pub(super) struct Layout {
    pub(super) root: PathBuf,
}

impl Layout {
    pub(super) fn new(root: impl Into<PathBuf>) -> Layout {
        Layout { root: root.into() }
    }

    pub(super) fn marker(&self) -> PathBuf {
        self.root.join("pool.json")
    }

    pub(super) fn record(&self) -> PathBuf {
        self.root.join("recovery.json")
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.root.join(".lock")
    }

    pub(super) fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    pub(super) fn trash(&self) -> PathBuf {
        self.root.join("trash")
    }

    pub(super) fn kind(&self, kind: VolumeKind) -> PathBuf {
        self.root.join(kind.folder())
    }

    pub(super) fn volume(&self, id: &VolumeId) -> Place {
        Place { folder: self.kind(id.kind).join(&id.name) }
    }

    /// The folders directly in the pool.
    pub(super) fn folders(&self) -> impl Iterator<Item = PathBuf> + '_ {
        VolumeKind::ALL.iter().map(|kind| self.kind(*kind)).chain([self.tmp(), self.trash()])
    }
}

/// The folder of a volume, a snapshot, or one being built.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) folder: PathBuf,
}

impl Place {
    pub(super) fn meta(&self) -> PathBuf {
        self.folder.join("volume.json")
    }

    /// Marks an image that was deleted while volumes stand on it.
    pub(super) fn deleted(&self) -> PathBuf {
        self.folder.join("deleted")
    }

    pub(super) fn rootfs(&self) -> PathBuf {
        self.folder.join("rootfs")
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub(super) fn disk(&self) -> PathBuf {
        self.folder.join("root.img")
    }

    pub(super) fn upper(&self) -> PathBuf {
        self.folder.join("upper")
    }

    pub(super) fn work(&self) -> PathBuf {
        self.folder.join("work")
    }

    pub(super) fn snapshots(&self) -> PathBuf {
        self.folder.join("snapshots")
    }

    pub(super) fn snapshot(&self, name: &str) -> Place {
        Place { folder: self.snapshots().join(name) }
    }
}
