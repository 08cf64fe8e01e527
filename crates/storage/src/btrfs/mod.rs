//! Driver `btrfs`: the files of every volume are a subvolume, so that copies and snapshots take no time
//! and no room, and sizes are enforced.
//!
//! ```text
//! no source     <pool>.img beside the pool's folder, a loop device, mounted on the pool's folder
//! a disk        formatted unless it holds something; mounted on the pool's folder
//! a folder      of a btrfs that is mounted already; the pool's folder is a link to it
//! ```
//! In it everything lies as `dir` has it; see there for what is promised at a crash. Why:
//! `docs/decisions/btrfs.md`.

use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use crate::{Driver, DriverInfo, Error, Pool, PoolSpec, Result, dir, fsio, mounts, pool_file};

mod mount;
mod receive;
mod scrub;
mod send;
mod stream;
mod subvolumes;
mod superblock;

#[cfg(test)]
mod tests;

use mount::Source;
use subvolumes::Subvolumes;

/// The driver.
pub(crate) struct Btrfs;

static INFO: DriverInfo = DriverInfo { name: "btrfs", remote: false, streams: true, version: 1 };

impl Driver for Btrfs {
    fn info(&self) -> &'static DriverInfo {
        &INFO
    }

    fn create(&self, spec: &PoolSpec) -> Result<()> {
        match Source::of(spec)? {
            Source::File(file) => {
                mount::make_file(spec, &file)?;
                mount::attach_file(spec, &file)?;
            }
            Source::Disk(disk) => mount::format_and_mount(spec, &disk)?,
            Source::Folder(folder) => {
                dir::make(&folder, &INFO, spec.id)?;
                return dir::link(spec);
            }
        }
        mount::enable_quotas(&spec.path)?;
        dir::make(&spec.path, &INFO, spec.id)
    }

    fn open(&self, spec: &PoolSpec) -> Result<Box<dyn Pool>> {
        match Source::of(spec)? {
            Source::File(file) => mount::attach_file(spec, &file)?,
            Source::Disk(disk) => mount::mount(spec, &disk)?,
            Source::Folder(folder) => return open_in(spec, &folder),
        }
        let opened = open_in(spec, &spec.path);
        if let Err(Error::ForeignPool { .. }) = &opened {
            // It was mounted for nothing.
            mounts::unmount(&spec.path)?;
        }
        opened
    }

    fn delete(&self, spec: &PoolSpec) -> Result<()> {
        if let Ok(Source::Folder(folder)) = Source::of(spec) {
            dir::empty(spec, &folder, &INFO)?;
            return dir::unlink(spec);
        }
        match self.open(spec) {
            Ok(pool) => {
                drop(pool);
                dir::empty(spec, &spec.path, &INFO)?;
            }
            // There is nothing, or nothing of ours: a disk with something else cannot be mounted.
            Err(
                Error::NoPool { .. }
                | Error::ForeignPool { .. }
                | Error::Source { .. }
                | Error::Io { doing: "mount", .. },
            ) => {}
            Err(error) => return Err(error),
        }
        mounts::unmount(&spec.path)?;
        let file = pool_file::path(spec);
        if spec.source.is_none() && fsio::exists(&file)? && mount::is_ours(spec, &file)? {
            fsio::remove_file(&file)?;
        }
        dir::remove_dir(&spec.path)
    }

    fn close(&self, spec: &PoolSpec) -> Result<()> {
        match &spec.source {
            // Somebody else's mount.
            Some(source) if source.is_dir() => Ok(()),
            _ => mounts::unmount(&spec.path),
        }
    }

    fn identify(&self, spec: &PoolSpec) -> Result<Option<Uuid>> {
        match Source::of(spec)? {
            Source::Disk(disk) => superblock::uuid(&disk),
            _ => Ok(None),
        }
    }

    fn recognise(&self, spec: &PoolSpec) -> Result<Option<Uuid>> {
        match Source::of(spec)? {
            Source::File(file) => mount::attach_file(spec, &file)?,
            Source::Disk(disk) => mount::mount(spec, &disk)?,
            Source::Folder(folder) => return dir::identity(&folder),
        }
        dir::identity(&spec.path)
    }

    fn unable(&self) -> Option<String> {
        if !exec::installed(exec::mkfs_btrfs::PROGRAM) {
            return Some(String::from("mkfs.btrfs is not installed: apt install btrfs-progs"));
        }
        // A module that is not loaded yet is loaded by the first mount.
        let loaded = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
        let there = loaded.lines().any(|line| line.ends_with("\tbtrfs"));
        let module = Path::new("/sys/module/btrfs").exists() || crate::has_modules();
        (!there && !module).then(|| String::from("the kernel has no btrfs"))
    }

    fn expand(&self, spec: &PoolSpec) -> Result<()> {
        mount::expand(spec)
    }

    fn grow(&self, spec: &PoolSpec) -> Result<()> {
        match Source::of(spec)? {
            Source::File(file) => mount::grow(spec, &file),
            _ => Err(Error::NotGrowing { pool: spec.name.clone() }),
        }
    }
}

/// Whether a file holds a btrfs.
pub(crate) fn is_in(file: &Path) -> Result<bool> {
    Ok(superblock::uuid(file)?.is_some())
}

fn open_in(spec: &PoolSpec, folder: &Path) -> Result<Box<dyn Pool>> {
    dir::open(folder, &INFO, spec.id, Arc::new(Subvolumes))
}
