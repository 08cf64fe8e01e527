//! The volumes of a pool in its volume group: made, grown, measured, removed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use exec::lvm::{self, Kind, Stripes};
use rustix::fs::FallocateFlags;

use super::label;
use crate::error::At;
use crate::{Error, LvmOptions, Making, PoolSpec, Result, copy, fsio};

/// What a thin pool is called that is given no name.
const THIN_POOL: &str = "MicroCloudThinPool";
/// How often, and how long apart, the removal of volumes is tried that are still in use: namespaces of
/// instances that start have them for a moment.
const TRIES: u32 = 40;
const PAUSE: Duration = Duration::from_millis(100);

/// The volume group of a pool.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) name: String,
    /// What the pool's own volumes have.
    pub(super) tag: String,
    pub(super) options: LvmOptions,
    /// What its volumes are like that choose nothing, and how large.
    pub(super) making: Making,
    pub(super) volume_size: Option<u64>,
    /// Bytes it has in all.
    pub(super) bytes: u64,
    /// Bytes by which volumes grow.
    extent: u64,
}

impl Group {
    /// That of a pool, whose group is there.
    pub(super) fn of(spec: &PoolSpec, found: &lvm::Group) -> Group {
        let (options, making) = (spec.options.lvm.clone(), spec.options.making.clone());
        let volume_size = spec.options.volume_size;
        let (bytes, extent) = (found.size, found.extent);
        let (name, tag) = (found.name.clone(), label::tag(spec.id));
        Group { name, tag, options, making, volume_size, bytes, extent }
    }

    /// The name of the thin pool.
    pub(super) fn thin_pool(&self) -> &str {
        self.options.thin_pool.as_deref().unwrap_or(THIN_POOL)
    }

    /// The device of a volume that is active.
    pub(super) fn path_of(&self, volume: &str) -> PathBuf {
        Path::new("/dev").join(&self.name).join(volume)
    }

    /// The device of a volume, which it makes active.
    pub(super) fn make_active(&self, volume: &str) -> Result<PathBuf> {
        let device = self.path_of(volume);
        if !fsio::exists(&device)? {
            lvm::activate(&self.name, volume).map_err(self.failed("activate volume", volume))?;
        }
        Ok(device)
    }

    pub(super) fn make(&self, volume: &str, size: u64, stripes: Stripes) -> Result<()> {
        let kind = match self.options.thick {
            true => Kind::Thick { size },
            false => Kind::Thin { pool: self.thin_pool(), size },
        };
        self.make_kind(volume, kind, stripes)
    }

    pub(super) fn make_kind(&self, volume: &str, kind: Kind<'_>, stripes: Stripes) -> Result<()> {
        lvm::make_volume(&self.name, volume, kind, stripes, &self.tag)
            .map_err(self.failed("make volume", volume))
    }

    /// Makes an active volume at least so large; one that is stays.
    pub(super) fn grow(&self, volume: &str, size: u64) -> Result<()> {
        if self.size(volume)? >= self.whole_extents(size) {
            return Ok(());
        }
        lvm::grow_volume(&self.name, volume, size)
            .map_err(self.failed("make larger volume", volume))
    }

    /// Bytes of an active volume.
    pub(super) fn size(&self, volume: &str) -> Result<u64> {
        let path = self.make_active(volume)?;
        let mut device = File::open(&path).at("open", &path)?;
        copy::length(&mut device).at("measure", &path)
    }

    /// The same, without making it active.
    pub(super) fn size_of_any(&self, volume: &str) -> Result<u64> {
        if fsio::exists(&self.path_of(volume))? {
            return self.size(volume);
        }
        Ok(self.find(volume)?.map_or(0, |found| found.size))
    }

    /// What a volume has that is to have so many bytes.
    pub(super) fn whole_extents(&self, size: u64) -> u64 {
        size.div_ceil(self.extent.max(1)) * self.extent.max(1)
    }

    /// Makes the end of a disk from there on read as zeros. What is thin does by itself.
    pub(super) fn clear(&self, volume: &str, from: u64) -> Result<()> {
        let size = self.size(volume)?;
        if !self.options.thick || from >= size {
            return Ok(());
        }
        let path = self.path_of(volume);
        let device = File::options().write(true).open(&path).at("open", &path)?;
        let flags = FallocateFlags::ZERO_RANGE | FallocateFlags::KEEP_SIZE;
        rustix::fs::fallocate(&device, flags, from, size - from).at("clear", &path)
    }

    /// The pool's own volumes.
    pub(super) fn own_volumes(&self) -> Result<Vec<lvm::Volume>> {
        let mut all = lvm::volumes(&self.name).map_err(self.failed("list volumes of", ""))?;
        all.retain(|volume| volume.tags.contains(&self.tag));
        Ok(all)
    }

    /// One volume, as lvm sees it.
    pub(super) fn find(&self, volume: &str) -> Result<Option<lvm::Volume>> {
        lvm::volume(&self.name, volume).map_err(self.failed("look at volume", volume))
    }

    /// Removes volumes; absent ones are Ok.
    pub(super) fn remove_all(&self, mut volumes: Vec<String>) -> Result<()> {
        for _ in 0..TRIES {
            if volumes.is_empty() {
                return Ok(());
            }
            let Err(error) = lvm::remove_volumes(&self.name, &volumes) else { return Ok(()) };
            let there = self.own_volumes()?;
            volumes.retain(|name| there.iter().any(|volume| volume.name == *name));
            match error.stderr_has("in use") {
                true => sleep(PAUSE),
                false if volumes.is_empty() => return Ok(()),
                false => return Err(self.failed("remove volumes", &volumes.join(" "))(error)),
            }
        }
        Err(Error::Group { group: self.name.clone(), why: "a volume of it stays in use" })
    }

    /// Names a group or a volume in an error.
    pub(super) fn failed(
        &self,
        doing: &'static str,
        volume: &str,
    ) -> impl Fn(exec::Error) -> Error {
        let slash = if volume.is_empty() { "" } else { "/" };
        let what = format!("{}{slash}{volume}", self.name);
        move |source| Error::Program { doing, what: what.clone(), source: Box::new(source) }
    }
}
