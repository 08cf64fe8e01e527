//! The volume group of a pool as what its volumes are of.

use std::path::{Path, PathBuf};

use exec::lvm::Kind;
use exec::mkfs::{self, FileSystem, Files};

use super::group::Group;
use super::usage;
use crate::dir::Purpose;
use crate::volumes::Backing;
use crate::{Error, Result, Usage, VolumeId, mounts};

/// Bytes of a volume of files that is given no size.
const USUAL: u64 = 10 << 30;

impl Group {
    fn usual(&self) -> u64 {
        self.options.volume_size.unwrap_or(USUAL)
    }
}

impl Backing for Group {
    type Kind = FileSystem;

    fn kind(&self) -> FileSystem {
        self.options.file_system
    }

    fn shares(&self) -> bool {
        !self.options.thick
    }

    fn make_files(&self, volume: &str, size: Option<u64>) -> Result<()> {
        self.make(volume, size.unwrap_or(self.usual()))?;
        let path = self.path_of(volume);
        let failed = |source| Error::Format { path: path.clone(), source: Box::new(source) };
        mkfs::make(&path, self.options.file_system, Files::Any).map_err(failed)
    }

    fn mount(&self, volume: &str, kind: FileSystem, at: &Path) -> Result<()> {
        let disk = self.make_active(volume)?;
        let (name, own) = match kind {
            // Tables of inodes are written when they are needed: they would take a thin pool's room.
            FileSystem::Ext4 => ("ext4", "noinit_itable"),
            // Snapshots have the identity of what they are of.
            FileSystem::Xfs => ("xfs", "nouuid"),
        };
        let options = self.options.volume_mount_options.as_deref().unwrap_or("discard");
        mounts::mount(&disk, at, name, &format!("{own},{options}"))
    }

    /// A file system that is to be smaller is made anew.
    fn can_copy(&self, volume: &str, size: Option<u64>) -> Result<bool> {
        Ok(match size {
            _ if self.options.thick => false,
            None => true,
            Some(size) => self.whole_extents(size) >= self.size_of_any(volume)?,
        })
    }

    fn copy(&self, from: &str, to: &str, _: Option<u64>, why: Purpose) -> Result<()> {
        let kind = match why {
            Purpose::Use => Kind::Copy { of: from },
            Purpose::Keep => Kind::Snapshot { of: from },
        };
        self.make_kind(to, kind)
    }

    fn limit(&self, volume: &str, size: Option<u64>, of: &VolumeId) -> Result<Option<u64>> {
        let wanted = size.unwrap_or(self.usual());
        let now = self.size(volume)?;
        if self.whole_extents(wanted) < now && size.is_some() {
            return Err(Error::Shrink { volume: of.clone(), from: now, to: wanted });
        }
        Ok((self.whole_extents(wanted) > now).then_some(wanted))
    }

    fn grow_files(&self, volume: &str, kind: FileSystem, size: u64, mount: &Path) -> Result<()> {
        self.grow(volume, size)?;
        mkfs::grow(&self.path_of(volume), mount, kind)
            .map_err(self.failed("make larger what is in volume", volume))
    }

    fn list(&self) -> Result<Vec<String>> {
        Ok(self.own_volumes()?.into_iter().map(|volume| volume.name).collect())
    }

    fn remove(&self, volumes: Vec<String>) -> Result<()> {
        self.remove_all(volumes)
    }

    /// The file of a disk, and what a file system takes for itself.
    fn room_for_disk(&self, size: u64) -> Option<u64> {
        Some((size + size / 8 + (64 << 20)).max(self.usual()))
    }

    fn make_disk(&self, volume: &str, size: u64) -> Result<()> {
        self.make(volume, size)?;
        self.clear(volume, 0)
    }

    fn grow_disk(&self, volume: &str, size: u64) -> Result<()> {
        let before = self.size(volume)?;
        self.grow(volume, size)?;
        self.clear(volume, before)
    }

    fn disk_size(&self, volume: &str) -> Result<u64> {
        self.size(volume)
    }

    fn whole(&self, size: u64) -> u64 {
        self.whole_extents(size)
    }

    fn device(&self, volume: &str) -> PathBuf {
        self.path_of(volume)
    }

    fn activate(&self, volume: &str) -> Result<PathBuf> {
        self.make_active(volume)
    }

    fn usage(&self, books: &Path) -> Result<Usage> {
        usage::of(self, books)
    }

    fn used_by_disk(&self, volume: &str) -> Result<u64> {
        usage::of_disk(self, volume)
    }

    fn used_by_files(&self, _: &str, mount: &Path) -> Result<u64> {
        usage::of_files(mount)
    }
}
