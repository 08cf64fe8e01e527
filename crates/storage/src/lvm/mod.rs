//! Driver `lvm`: the files or the disk of every volume are a logical volume of a volume group.
//!
//! ```text
//! no source     <pool>.img beside the pool's folder, a loop device, a volume group on it
//! a disk        a volume group on it, unless it holds something
//! a name        a volume group that is there
//! ```
//! In the group lies a small volume with the pool's books, mounted on the pool's folder, in which everything
//! lies as `dir` has it; see there for what is promised at a crash. Beside it a thin pool, from which all
//! other volumes take room as they are written to. Why: `docs/decisions/lvm.md`.

use std::path::Path;
use std::sync::Arc;

use exec::lvm::{self, Kind};
use exec::mkfs::{self, FileSystem, Files};
use exec::wipefs;
use uuid::Uuid;

use crate::volumes::Volumes;
use crate::{Driver, DriverInfo, Error, Pool, PoolSpec, Result, dir, fsio, mounts, pool_file};

mod group;
mod label;
mod source;
mod usage;
mod volumes;

#[cfg(test)]
mod tests;

use group::Group;
use source::{Source, failed, group_name};

/// The driver.
pub(crate) struct Lvm;

static INFO: DriverInfo = DriverInfo { name: "lvm", remote: false, streams: false, version: 1 };

/// What the name of the volume with a pool's books begins with; the pool's identity follows.
const BOOKS: &str = "pool_";
/// Of how many bytes of a group one is for the books, and the bounds of that.
const SHARE: u64 = 64;
const BOOKS_SIZE: std::ops::RangeInclusive<u64> = 16 << 20..=1 << 30;

/// The name of the volume with a pool's books.
fn books(id: Option<Uuid>) -> String {
    format!("{BOOKS}{}", id.unwrap_or_default().simple())
}

impl Driver for Lvm {
    fn info(&self) -> &'static DriverInfo {
        &INFO
    }

    fn create(&self, spec: &PoolSpec) -> Result<()> {
        if mounts::is_mounted(&spec.path)? {
            return dir::make(&spec.path, &INFO, spec.id);
        }
        let _disk = source::make(spec)?;
        let group = group(spec)?;
        let there = lvm::volumes(&group.name).map_err(group.failed("list volumes of", ""))?;
        let there: Vec<String> = there.into_iter().map(|volume| volume.name).collect();
        make_books(spec, &group, &there)?;
        make_thin_pool(&group, &there)?;
        mount(spec, &group)?;
        dir::make(&spec.path, &INFO, spec.id)
    }

    fn open(&self, spec: &PoolSpec) -> Result<Box<dyn Pool>> {
        let mounted = mounts::is_mounted(&spec.path)?;
        let _disk = attach(spec)?;
        let group = group(spec)?;
        if !mounted {
            check_books(spec, &group)?;
            mount(spec, &group)?;
        }
        let volumes = Arc::new(Volumes::new(group, &spec.path));
        let pool = dir::open(&spec.path, &INFO, spec.id, volumes.clone())?;
        volumes.clean()?;
        Ok(pool)
    }

    fn delete(&self, spec: &PoolSpec) -> Result<()> {
        match self.open(spec) {
            Ok(pool) => {
                drop(pool);
                dir::empty(spec, &spec.path, &INFO)?;
            }
            Err(Error::ForeignPool { .. }) => return Ok(()),
            // There is nothing, or what a making left that did not come to its end.
            Err(Error::NoPool { .. } | Error::Group { .. } | Error::Source { .. }) => {}
            Err(error) => return Err(error),
        }
        mounts::unmount(&spec.path)?;
        remove(spec)?;
        dir::remove_dir(&spec.path)
    }

    fn close(&self, spec: &PoolSpec) -> Result<()> {
        mounts::unmount(&spec.path)?;
        let name = group_name(spec)?;
        // The disk may be gone, and then its volumes cannot be let go of one by one.
        let _ = lvm::deactivate_tagged(&name, &label::tag(spec.id));
        Ok(())
    }

    fn recognise(&self, spec: &PoolSpec) -> Result<Option<Uuid>> {
        match Source::of(spec) {
            Source::File(path) | Source::Disk(path) => label::pool(&path),
            Source::Group => {
                let name = group_name(spec)?;
                let volumes = lvm::volumes(&name).map_err(|e| failed("look at", &name, e))?;
                Ok(source::pools_in(&volumes).first().copied())
            }
        }
    }

    fn unable(&self) -> Option<String> {
        if !exec::installed(lvm::PROGRAM) {
            let packages = "apt install lvm2 thin-provisioning-tools";
            return Some(format!("lvm is not installed: {packages}"));
        }
        // A module that is not loaded yet is loaded by the first use.
        let there = Path::new("/sys/class/misc/device-mapper").exists();
        (!there && !crate::has_modules()).then(|| String::from("the kernel has no device mapper"))
    }

    fn expand(&self, spec: &PoolSpec) -> Result<()> {
        let name = group_name(spec)?;
        let found = source::find_of(spec, &name)?;
        let gone = || Error::Group { group: name, why: "no disk of this machine has it" };
        let found = found.ok_or_else(gone)?;
        for disk in &found.disks {
            lvm::grow_disk(disk.as_ref()).map_err(|e| failed("make larger", disk, e))?;
        }
        let group = Group::of(spec, &found);
        match group.options.thick {
            true => Ok(()),
            false => lvm::fill_group(&group.name, group.thin_pool())
                .map_err(group.failed("make larger thin pool", group.thin_pool())),
        }
    }

    fn grow(&self, spec: &PoolSpec) -> Result<()> {
        let Source::File(file) = Source::of(spec) else {
            return Err(Error::NotGrowing { pool: spec.name.clone() });
        };
        if !pool_file::grow(spec, &file)? {
            return Ok(());
        }
        let _open = source::attach(&file)?;
        let Some(device) = pool_file::device_of(&file)? else { return Ok(()) };
        pool_file::refresh(&device)?;
        self.expand(spec)
    }
}

/// Whether a file holds the volume group of a pool.
pub(crate) fn is_in(file: &Path) -> Result<bool> {
    Ok(label::pool(file)?.is_some())
}

/// The pool's group, which must be there: the one that was made for it, whatever its name is now.
fn group(spec: &PoolSpec) -> Result<Group> {
    let name = group_name(spec)?;
    match source::find_of(spec, &name)? {
        Some(found) => Ok(Group::of(spec, &found)),
        None => Err(match spec.source {
            None => Error::NoPool { path: spec.path.clone() },
            Some(_) => Error::Group { group: name, why: "no disk of this machine has it" },
        }),
    }
}

/// Makes the file of a pool that is in one a disk, unless it is.
fn attach(spec: &PoolSpec) -> Result<Option<std::fs::File>> {
    match Source::of(spec) {
        Source::File(file) if fsio::exists(&file)? => source::attach(&file).map(Some),
        Source::File(_) => Err(Error::NoPool { path: spec.path.clone() }),
        _ => Ok(None),
    }
}

/// Fails unless the group has the pool's books.
fn check_books(spec: &PoolSpec, group: &Group) -> Result<()> {
    let wanted = books(spec.id);
    if fsio::exists(&group.path_of(&wanted))? {
        return Ok(());
    }
    let volumes = lvm::volumes(&group.name).map_err(group.failed("list volumes of", ""))?;
    let path = spec.path.clone();
    match volumes.iter().any(|volume| volume.name == wanted) {
        true => Ok(()),
        false if source::pools_in(&volumes).is_empty() => Err(Error::NoPool { path }),
        false => Err(Error::ForeignPool { path }),
    }
}

/// Makes the volume with the pool's books; one that is there stays.
fn make_books(spec: &PoolSpec, group: &Group, there: &[String]) -> Result<()> {
    let name = books(spec.id);
    if !there.contains(&name) {
        let size = (group.bytes / SHARE).clamp(*BOOKS_SIZE.start(), *BOOKS_SIZE.end());
        group.make_kind(&name, Kind::Thick { size }, group.making.stripes)?;
    }
    let disk = group.make_active(&name)?;
    let holds = wipefs::signatures(&disk).map_err(|source| failed("look at", &disk, source))?;
    if !holds.is_empty() {
        return Ok(());
    }
    mkfs::make(&disk, FileSystem::Ext4, Files::Small)
        .map_err(|source| Error::Format { path: disk, source: Box::new(source) })
}

/// Makes the thin pool, unless one of that name is there.
fn make_thin_pool(group: &Group, there: &[String]) -> Result<()> {
    let books = group.options.thin_pool_metadata;
    match group.options.thick || there.iter().any(|name| name == group.thin_pool()) {
        true => Ok(()),
        false => group.make_kind(group.thin_pool(), Kind::Pool { books }, group.making.stripes),
    }
}

/// Mounts the books on the pool's folder, unless they are.
fn mount(spec: &PoolSpec, group: &Group) -> Result<()> {
    if mounts::is_mounted(&spec.path)? {
        return Ok(());
    }
    let disk = group.make_active(&books(spec.id))?;
    fsio::ensure_dir(&spec.path, 0o711)?;
    mounts::mount(&disk, &spec.path, "ext4", "")
}

/// Removes the pool's volumes; and the group and the file, where they were made for it.
fn remove(spec: &PoolSpec) -> Result<()> {
    let name = group_name(spec)?;
    let file = match Source::of(spec) {
        Source::File(file) => match fsio::exists(&file)? {
            true if label::pool(&file)? == spec.id => Some(file),
            // Nothing, or another's; or only what is below was not removed yet.
            _ => return fsio::remove_file(&pool_file::unfinished(&file)),
        },
        _ => None,
    };
    // Without volumes nothing else keeps the disk that the file is.
    let _open = file.as_deref().map(source::attach).transpose()?;
    if let Some(found) = source::find_of(spec, &name)? {
        let group = Group::of(spec, &found);
        let own = group.own_volumes()?.into_iter().map(|volume| volume.name);
        group.remove_all(own.collect())?;
        if label::pool_of(&found.tags) == spec.id && spec.id.is_some() {
            remove_group(&found, file.as_deref())?;
        }
    }
    match file {
        Some(file) => fsio::remove_file(&pool_file::unfinished(&file)),
        None => Ok(()),
    }
}

/// A file goes by its other name, so that what a crash leaves of it is not taken for a pool.
fn remove_group(found: &lvm::Group, file: Option<&Path>) -> Result<()> {
    if let Some(file) = file {
        let away = pool_file::unfinished(file);
        std::fs::rename(file, &away).map_err(|source| Error::Io {
            doing: "rename",
            path: file.to_owned(),
            source,
        })?;
    }
    lvm::remove_group(&found.name).map_err(|e| failed("remove volume group", &found.name, e))?;
    for disk in found.disks.iter().filter(|_| file.is_none()) {
        lvm::forget_disk(disk).map_err(|e| failed("make blank", disk, e))?;
    }
    Ok(())
}

/// Removes whatever there is of a pool, full or not.
#[cfg(test)]
pub(crate) fn forget(spec: &PoolSpec) {
    if let Err(error) = mounts::unmount(&spec.path).and_then(|()| remove(spec)) {
        eprintln!("left behind: {error}");
    }
}
