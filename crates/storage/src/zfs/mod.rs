//! Driver `zfs`: the files or the disk of every volume are a dataset of a ZFS pool, so that copies and snapshots
//! take no time and no room, sizes are enforced, and damage is found.
//!
//! ```text
//! no source     <pool>.img beside the pool's folder, a pool of ZFS on it
//! a disk        a pool of ZFS on it, unless it holds something
//! a name        a dataset, which is made if need be, of a pool that is there
//! ```
//! The dataset itself has the pool's books and is mounted on the pool's folder; in it everything lies as `dir` has
//! it; see there for what is promised at a crash. Why: `docs/decisions/zfs.md`.

use std::path::Path;
use std::sync::Arc;

use exec::{wipefs, zfs};
use uuid::Uuid;

use crate::volumes::{Volumes, is_named_so};
use crate::{Driver, DriverInfo, Error, Pool, PoolSpec, Result, dir, fsio, mounts, pool_file};

mod copies;
mod datasets;
mod files;
mod head;
mod label;
mod scrub;
mod source;
mod streams;

#[cfg(test)]
mod tests;

use datasets::Datasets;
use source::{Source, failed, zpool};

/// The driver.
pub(crate) struct Zfs;

static INFO: DriverInfo = DriverInfo { name: "zfs", remote: false, streams: true, version: 1 };

/// Which ZFS the kernel has, where it has any.
const VERSION: &str = "/sys/module/zfs/version";

/// Before 2.2 it renames without flags only, and maps no ids.
fn is_old(version: &str) -> bool {
    let mut parts = version.trim().split(['.', '-']).map(|part| part.parse().unwrap_or(0_u32));
    (parts.next(), parts.next()) < (Some(2), Some(2))
}

impl Driver for Zfs {
    fn info(&self) -> &'static DriverInfo {
        &INFO
    }

    fn create(&self, spec: &PoolSpec) -> Result<()> {
        if !mounts::is_mounted(&spec.path)? {
            source::make(spec)?;
            mount(spec, &source::dataset(spec)?)?;
        }
        dir::make(&spec.path, &INFO, spec.id)
    }

    fn open(&self, spec: &PoolSpec) -> Result<Box<dyn Pool>> {
        let dataset = source::dataset(spec)?;
        if !mounts::is_mounted(&spec.path)? {
            let imported = source::import(spec, &dataset)?;
            if let Err(error) = check(spec, &dataset) {
                if imported {
                    // Another's, which only has the name.
                    zfs::export(zpool(&dataset)).map_err(|e| failed("let go of", &dataset, e))?;
                }
                return Err(error);
            }
            mount(spec, &dataset)?;
        }
        // Pools that were made before have it not.
        source::let_disks_have_devices(&dataset)?;
        let datasets = Datasets::new(&dataset, &spec.options);
        let volumes = Arc::new(Volumes::new(datasets, &spec.path));
        let pool = dir::open(&spec.path, &INFO, spec.id, volumes.clone())?;
        volumes.clean()?;
        Ok(pool)
    }

    fn delete(&self, spec: &PoolSpec) -> Result<()> {
        match self.open(spec) {
            Ok(pool) => {
                drop(pool);
                refuse_others(&source::dataset(spec)?)?;
                dir::empty(spec, &spec.path, &INFO)?;
            }
            Err(Error::ForeignPool { .. }) => return Ok(()),
            // There is nothing, or what a making left that did not come to its end.
            Err(Error::NoPool { .. } | Error::Dataset { .. } | Error::Source { .. }) => {}
            Err(error) => return Err(error),
        }
        mounts::unmount(&spec.path)?;
        remove(spec)?;
        dir::remove_dir(&spec.path)
    }

    fn close(&self, spec: &PoolSpec) -> Result<()> {
        mounts::unmount(&spec.path)?;
        if !matches!(Source::of(spec), Source::Dataset) && spec.options.zfs.export {
            // The disk may be gone.
            let _ = zfs::export(zpool(&source::dataset(spec)?));
        }
        Ok(())
    }

    fn recognise(&self, spec: &PoolSpec) -> Result<Option<Uuid>> {
        match Source::of(spec) {
            Source::File(path) | Source::Disk(path) => source::pool_on(&path),
            Source::Dataset => source::owner(&source::dataset(spec)?),
        }
    }

    fn identify(&self, spec: &PoolSpec) -> Result<Option<Uuid>> {
        match Source::of(spec) {
            Source::Dataset => source::identify(&source::dataset(spec)?),
            // Its label says whose it is.
            Source::File(_) | Source::Disk(_) => Ok(None),
        }
    }

    fn check_delete(&self, spec: &PoolSpec) -> Result<()> {
        let dataset = source::dataset(spec)?;
        match mounts::is_mounted(&spec.path)? {
            true => refuse_others(&dataset),
            // It is looked at when it is there.
            false => Ok(()),
        }
    }

    fn expand(&self, spec: &PoolSpec) -> Result<()> {
        let Source::Disk(disk) = Source::of(spec) else { return Ok(()) };
        let dataset = source::dataset(spec)?;
        zfs::expand(zpool(&dataset), &disk).map_err(|e| failed("make larger", &dataset, e))
    }

    fn unable(&self) -> Option<String> {
        if !exec::installed(zfs::PROGRAM) {
            return Some(String::from("zpool is not installed: apt install zfsutils-linux"));
        }
        match std::fs::read_to_string(VERSION) {
            Ok(version) if is_old(&version) => {
                Some(format!("ZFS {} is too old: 2.2 or later is needed", version.trim()))
            }
            Ok(_) => None,
            // A module that is not loaded yet is loaded by the first use.
            Err(_) if crate::has_modules() => None,
            Err(_) => Some(String::from("the kernel has no ZFS")),
        }
    }

    fn grow(&self, spec: &PoolSpec) -> Result<()> {
        let Source::File(file) = Source::of(spec) else {
            return Err(Error::NotGrowing { pool: spec.name.clone() });
        };
        if !pool_file::grow(spec, &file)? {
            return Ok(());
        }
        let dataset = source::dataset(spec)?;
        zfs::expand(zpool(&dataset), &file).map_err(|e| failed("make larger", &dataset, e))
    }
}

/// Whether a file holds a pool of ZFS that was made for one of ours.
pub(crate) fn is_in(file: &Path) -> Result<bool> {
    Ok(source::pool_on(file)?.is_some())
}

/// Fails unless the dataset is that pool's.
fn check(spec: &PoolSpec, dataset: &str) -> Result<()> {
    let path = spec.path.clone();
    match source::owner(dataset)? {
        None => Err(Error::NoPool { path }),
        owner if owner == spec.id => Ok(()),
        _ => Err(Error::ForeignPool { path }),
    }
}

/// Mounts the books on the pool's folder.
fn mount(spec: &PoolSpec, dataset: &str) -> Result<()> {
    fsio::ensure_dir(&spec.path, 0o711)?;
    mounts::mount(Path::new(dataset), &spec.path, "zfs", "")
}

/// Removes the dataset; and the pool of ZFS and the file, where they were made for it.
fn remove(spec: &PoolSpec) -> Result<()> {
    let dataset = source::dataset(spec)?;
    let ours = match Source::of(spec) {
        Source::File(file) => {
            if !fsio::exists(&file)? || source::pool_on(&file)? != spec.id {
                return fsio::remove_file(&pool_file::unfinished(&file));
            }
            true
        }
        Source::Disk(disk) => source::pool_on(&disk).is_ok_and(|id| id == spec.id),
        Source::Dataset => false,
    };
    if source::is_imported(&dataset)? && zfs::list(&dataset).is_ok_and(|found| !found.is_empty()) {
        if source::owner(&dataset)? != spec.id {
            return Ok(());
        }
        refuse_others(&dataset)?;
        let gone = if ours { zfs::destroy_pool(&dataset) } else { zfs::destroy(&dataset) };
        gone.map_err(|e| failed("remove", &dataset, e))?;
    }
    match Source::of(spec) {
        Source::File(file) => fsio::remove_file(&file),
        // It was blank.
        Source::Disk(disk) if ours => {
            wipefs::wipe(&disk).map(drop).map_err(|e| failed("make blank", &dataset, e))
        }
        _ => Ok(()),
    }
}

/// Fails where somebody else has put a dataset into that of a pool.
fn refuse_others(dataset: &str) -> Result<()> {
    let inside = zfs::list(dataset).map_err(|e| failed("look into", dataset, e))?;
    let names = inside.iter().skip(1).filter_map(|found| found.name.rsplit('/').next());
    match names.into_iter().find(|name| !is_named_so(name)) {
        Some(other) => {
            let why = "somebody has put it into that of the pool: remove it, or move it elsewhere";
            Err(Error::Dataset { dataset: format!("{dataset}/{other}"), why })
        }
        None => Ok(()),
    }
}

/// Removes whatever there is of a pool, full or not.
#[cfg(test)]
pub(crate) fn forget(spec: &PoolSpec) {
    if let Err(error) = mounts::unmount(&spec.path).and_then(|()| remove(spec)) {
        eprintln!("left behind: {error}");
    }
}
