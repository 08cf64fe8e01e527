//! The volume group of a pool as what its volumes are of.

use std::path::{Path, PathBuf};

use exec::Control;
use exec::lvm::{Kind, Stripes};
use exec::mkfs::{self, FileSystem, Files};

use super::group::Group;
use super::usage;
use crate::dir::Purpose;
use crate::volumes::Backing;
use crate::volumes::disks::{self, Access, Still};
use crate::{Error, Making, Result, Usage, VolumeId};

impl Group {
    fn usual_size(&self) -> u64 {
        self.volume_size.unwrap_or(disks::USUAL)
    }
}

impl Backing for Group {
    type Kind = FileSystem;

    fn usual(&self) -> &Making {
        &self.making
    }

    fn kind(&self, making: &Making) -> FileSystem {
        making.file_system.unwrap_or_default()
    }

    fn shares(&self) -> bool {
        !self.options.thick
    }

    fn make_files(
        &self,
        volume: &str,
        kind: FileSystem,
        size: Option<u64>,
        making: &Making,
    ) -> Result<()> {
        self.make(volume, size.unwrap_or(self.usual_size()), making.stripes)?;
        let path = self.path_of(volume);
        let failed = |source| Error::Format { path: path.clone(), source: Box::new(source) };
        mkfs::make(&path, kind, Files::Any).map_err(failed)
    }

    fn mount(
        &self,
        volume: &str,
        kind: FileSystem,
        options: Option<&str>,
        at: &Path,
    ) -> Result<()> {
        disks::mount(&self.make_active(volume)?, kind, options, at, Access::Write)
    }

    /// A file system that is to be smaller is made anew.
    fn can_copy(&self, volume: &str, _: Option<FileSystem>, size: Option<u64>) -> Result<bool> {
        Ok(match size {
            _ if self.options.thick => false,
            None => true,
            Some(size) => self.whole_extents(size) >= self.size_of_any(volume)?,
        })
    }

    fn copy(
        &self,
        (from, _): (&str, Option<FileSystem>),
        to: &str,
        why: Purpose,
        _: &dyn Fn() -> Result<Option<Still>>,
        _: &Control,
    ) -> Result<()> {
        let kind = match why {
            Purpose::Use | Purpose::Copy => Kind::Copy { of: from },
            Purpose::Keep => Kind::Snapshot { of: from },
        };
        self.make_kind(to, kind, Stripes::default())
    }

    fn limit(
        &self,
        (volume, _): (&str, FileSystem),
        size: Option<u64>,
        _: &Making,
        of: &VolumeId,
    ) -> Result<Option<u64>> {
        let wanted = size.unwrap_or(self.usual_size());
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
        Some((size + size / 8 + (64 << 20)).max(self.usual_size()))
    }

    fn make_disk(&self, volume: &str, size: u64, making: &Making) -> Result<()> {
        self.make(volume, size, making.stripes)?;
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

    fn used_by_files(&self, _: &str, _: FileSystem, mount: &Path) -> Result<u64> {
        disks::used(mount)
    }
}
