//! Where a pool's dataset is: in a pool on a file or a disk of ours, or in one that is there already.

use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use exec::{wipefs, zfs};
use uuid::Uuid;

use super::label::{self, Label};
use crate::{Error, PoolSpec, Result, disks, fsio, pool_file};

/// The property that says so of a dataset.
const PROPERTY: &str = "microcloud:pool";

/// Where a pool lives.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// In a file of ours.
    File(PathBuf),
    /// On a disk or a partition, which was blank.
    Disk(PathBuf),
    /// In a dataset, which is made if need be, of a pool that somebody made.
    Dataset,
}

impl Source {
    pub(super) fn of(spec: &PoolSpec) -> Source {
        match &spec.source {
            None => Source::File(pool_file::path(spec)),
            Some(path) if path.is_absolute() => Source::Disk(path.clone()),
            Some(_) => Source::Dataset,
        }
    }
}

/// The dataset that a pool of ours is: a whole pool of ZFS, or one in it.
pub(super) fn dataset(spec: &PoolSpec) -> Result<String> {
    let given = spec.source.as_deref().filter(|path| !path.is_absolute());
    let given = given.map(|path| path.to_string_lossy().into_owned());
    match (given, &spec.options.zfs.pool) {
        (Some(dataset), Some(other)) if dataset != *other => Err(Error::Dataset {
            dataset,
            why: "it is the source, but zfs.pool_name names another",
        }),
        (Some(dataset), _) => Ok(dataset),
        (None, name) => Ok(name.clone().unwrap_or_else(|| spec.name.clone())),
    }
}

/// The pool of ZFS that a dataset is in.
pub(super) fn zpool(dataset: &str) -> &str {
    dataset.split('/').next().unwrap_or(dataset)
}

/// Makes the dataset of a new pool, or looks whether the one that is there may be taken.
pub(super) fn make(spec: &PoolSpec) -> Result<()> {
    let dataset = dataset(spec)?;
    match Source::of(spec) {
        Source::File(file) => make_in_file(spec, &file, &dataset),
        Source::Disk(disk) => make_on_disk(spec, &disk, &dataset),
        Source::Dataset => take(spec, &dataset),
    }?;
    let id = spec.id.unwrap_or_default().to_string();
    zfs::set(&dataset, &[(PROPERTY, &id), ("mountpoint", "legacy"), ("canmount", "noauto")])
        .map_err(|e| failed("set properties of", &dataset, e))?;
    let_disks_have_devices(&dataset)
}

/// Disks inherit it. Set with each, its device would go and come once more.
pub(super) fn let_disks_have_devices(dataset: &str) -> Result<()> {
    let mode = zfs::own_property(dataset, "volmode").map_err(|e| failed("look at", dataset, e))?;
    match mode == "dev" {
        true => Ok(()),
        false => zfs::set(dataset, &[("volmode", "dev")])
            .map_err(|e| failed("set properties of", dataset, e)),
    }
}

fn make_in_file(spec: &PoolSpec, file: &Path, dataset: &str) -> Result<()> {
    if !fsio::exists(file)? {
        refuse_taken(dataset)?;
        // Exported, so that it is found under the name that the file gets.
        pool_file::make(spec, file, |new| {
            make_pool(spec, new, dataset)?;
            zfs::export(zpool(dataset)).map_err(|e| failed("let go of", dataset, e))
        })?;
    }
    match pool_on(file)? == spec.id {
        true => import(spec, dataset).map(drop),
        false => Err(Error::ForeignPool { path: file.to_owned() }),
    }
}

fn make_on_disk(spec: &PoolSpec, disk: &Path, dataset: &str) -> Result<()> {
    let refuse = |why| Err(Error::Source { path: disk.to_owned(), why });
    let Ok(stat) = std::fs::metadata(disk) else { return refuse("there is no such disk") };
    if !stat.file_type().is_block_device() {
        return refuse("it is no disk; the name of a dataset has no slash at its beginning");
    }
    let whose = pool_on(disk)?;
    if whose.is_some() && whose == spec.id {
        return import(spec, dataset).map(drop);
    }
    let look = |source| failed("look at", &disk.to_string_lossy(), source);
    let holds = wipefs::signatures(disk).map_err(look)?;
    match (holds.is_empty(), spec.options.wipe, whose) {
        (true, ..) => {}
        (false, true, _) => drop(wipefs::wipe(disk).map_err(look)?),
        (false, false, Some(_)) => return Err(Error::ForeignPool { path: disk.to_owned() }),
        (false, false, None) => {
            return refuse("it holds something already: empty it, or say source.wipe=true");
        }
    }
    refuse_taken(dataset)?;
    make_pool(spec, disk, dataset)
}

fn make_pool(spec: &PoolSpec, on: &Path, dataset: &str) -> Result<()> {
    if dataset.contains('/') {
        let why = "a pool of its own has no slash in its name";
        return Err(Error::Dataset { dataset: dataset.to_owned(), why });
    }
    let comment = spec.id.unwrap_or_default().simple().to_string();
    zfs::make_pool(dataset, on, &comment, spec.options.wipe)
        .map_err(|e| failed("make pool", dataset, e))
}

fn refuse_taken(dataset: &str) -> Result<()> {
    match is_imported(dataset)? {
        true => Err(Error::Dataset {
            dataset: dataset.to_owned(),
            why: "there is a pool of that name already: choose another with zfs.pool_name",
        }),
        false => Ok(()),
    }
}

/// Whether a dataset that somebody made may be taken; one that is not there is made.
fn take(spec: &PoolSpec, dataset: &str) -> Result<()> {
    let refuse = |why| Err(Error::Dataset { dataset: dataset.to_owned(), why });
    if !is_imported(dataset)? {
        return refuse("its pool is not there");
    }
    let found = zfs::list(dataset).map_err(|e| failed("look at", dataset, e))?;
    if found.is_empty() {
        return zfs::make(dataset, &[]).map_err(|e| failed("make", dataset, e));
    }
    match owner(dataset)? {
        Some(id) if Some(id) == spec.id => Ok(()),
        Some(_) => Err(Error::ForeignPool { path: PathBuf::from(dataset) }),
        None if found.len() > 1 => refuse("it has datasets in it: give an empty one"),
        None => Ok(()),
    }
}

/// Whose a dataset is.
pub(super) fn owner(dataset: &str) -> Result<Option<Uuid>> {
    let value = zfs::own_property(dataset, PROPERTY).map_err(|e| failed("look at", dataset, e))?;
    Ok(Uuid::parse_str(&value).ok())
}

/// Whether the pool of a dataset is imported.
pub(super) fn is_imported(dataset: &str) -> Result<bool> {
    let pools = zfs::pools().map_err(|e| failed("look for", dataset, e))?;
    Ok(pools.iter().any(|pool| pool == zpool(dataset)))
}

/// Imports the pool that a dataset is in; false where it is.
pub(super) fn import(spec: &PoolSpec, dataset: &str) -> Result<bool> {
    if is_imported(dataset)? {
        return Ok(false);
    }
    let gone = || Error::NoPool { path: spec.path.clone() };
    let imported = match Source::of(spec) {
        Source::File(file) if !fsio::exists(&file)? => return Err(gone()),
        Source::File(file) => {
            let number = label::read(&file)?.map(|label| label.number.to_string());
            // By its number: another of the same name may be in the folder.
            zfs::import(number.as_deref().unwrap_or(zpool(dataset)), file.parent())
        }
        Source::Disk(usual) => {
            let ours = |path: &Path| label::at(path, 0).is_ok_and(|found| is_ours(spec, found));
            let disk = disks::find(&usual, ours)?.ok_or_else(gone)?;
            let number = label::at(&disk, 0)?.map(|label| label.number.to_string());
            zfs::import(number.as_deref().unwrap_or(zpool(dataset)), Some(&disk))
        }
        Source::Dataset => {
            let number = spec.disk.map(|number| number_of(number).to_string());
            zfs::import(number.as_deref().unwrap_or(zpool(dataset)), None)
        }
    };
    match imported {
        Ok(()) => Ok(true),
        Err(error) if error.stderr_has("no such pool") => Err(gone()),
        Err(error) => Err(failed("import", dataset, error)),
    }
}

fn is_ours(spec: &PoolSpec, found: Option<Label>) -> bool {
    found.is_some_and(|label| label.pool.is_some() && label.pool == spec.id)
}

/// The pool of ours that a disk or a file is for, read from the disk itself.
pub(super) fn pool_on(path: &Path) -> Result<Option<Uuid>> {
    Ok(label::read(path)?.and_then(|label| label.pool))
}

/// The number of the pool that a dataset is in: by that it is found again if there are two of its name.
pub(super) fn identify(dataset: &str) -> Result<Option<Uuid>> {
    let text = zfs::pool_property(zpool(dataset), "guid");
    let text = text.map_err(|e| failed("look at", dataset, e))?;
    Ok(text.parse().ok().map(|number| Uuid::from_u64_pair(0, number)))
}

fn number_of(id: Uuid) -> u64 {
    id.as_u64_pair().1
}

pub(super) fn failed(doing: &'static str, what: &str, source: exec::Error) -> Error {
    Error::Program { doing, what: what.to_owned(), source: Box::new(source) }
}
