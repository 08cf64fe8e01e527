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

use uuid::Uuid;

use crate::dir::{self, trees::Trees};
use crate::{Driver, DriverInfo, Error, Pool, PoolSpec, Result, fsio};

mod file;
mod mount;
mod scrub;
mod superblock;

#[cfg(test)]
mod tests;

use mount::Source;
pub(crate) use scrub::scrub;

/// The driver.
pub(crate) struct Btrfs;

static INFO: DriverInfo = DriverInfo { name: "btrfs", remote: false, version: 1 };

impl Driver for Btrfs {
    fn info(&self) -> &'static DriverInfo {
        &INFO
    }

    fn create(&self, spec: &PoolSpec) -> Result<()> {
        match Source::of(spec)? {
            Source::File(file) => {
                file::make(spec, &file)?;
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
            mount::unmount(&spec.path)?;
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
        mount::unmount(&spec.path)?;
        let file = file::path(spec);
        if spec.source.is_none() && fsio::exists(&file)? && file::is_ours(spec, &file)? {
            fsio::remove_file(&file)?;
        }
        dir::remove_dir(&spec.path)
    }

    fn close(&self, spec: &PoolSpec) -> Result<()> {
        match &spec.source {
            // Somebody else's mount.
            Some(source) if source.is_dir() => Ok(()),
            _ => mount::unmount(&spec.path),
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
        let module = Path::new("/sys/module/btrfs").exists() || has_modules();
        (!there && !module).then(|| String::from("the kernel has no btrfs"))
    }

    fn grow(&self, spec: &PoolSpec) -> Result<()> {
        match Source::of(spec)? {
            Source::File(file) => file::grow(spec, &file),
            _ => Err(Error::NotGrowing { pool: spec.name.clone() }),
        }
    }
}

fn open_in(spec: &PoolSpec, folder: &Path) -> Result<Box<dyn Pool>> {
    dir::open(folder, &INFO, spec.id, Trees::Subvolumes)
}

/// Whether the running kernel has a folder of modules that may be loaded.
fn has_modules() -> bool {
    let name = rustix::system::uname().release().to_string_lossy().into_owned();
    Path::new("/lib/modules").join(name).is_dir()
}
