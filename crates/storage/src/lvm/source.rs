//! Where a pool's volume group is: in a file, on a disk, or there already.

use std::fs::{self, File};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use exec::{lvm, wipefs};
use uuid::Uuid;

use super::label;
use crate::error::At;
use crate::{Error, PoolSpec, Result, fsio, pool_file};

/// Where a pool lives.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// In a file of ours.
    File(PathBuf),
    /// On a disk or a partition, which was blank.
    Disk(PathBuf),
    /// In a volume group that somebody made.
    Group,
}

impl Source {
    pub(super) fn of(spec: &PoolSpec) -> Source {
        match &spec.source {
            None => Source::File(pool_file::path(spec)),
            Some(path) if path.is_absolute() => Source::Disk(path.clone()),
            Some(_) => Source::Group,
        }
    }
}

/// The name of a pool's volume group.
pub(super) fn group_name(spec: &PoolSpec) -> Result<String> {
    let given = spec.source.as_deref().filter(|path| !path.is_absolute());
    let given = given.map(|path| path.to_string_lossy().into_owned());
    match (given, &spec.options.lvm.group) {
        (Some(group), Some(other)) if group != *other => {
            Err(Error::Group { group, why: "it is the source, but lvm.vg_name names another" })
        }
        (Some(group), _) => Ok(group),
        (None, group) => Ok(group.clone().unwrap_or_else(|| spec.name.clone())),
    }
}

/// A volume group of that name, if it is there.
fn find(name: &str) -> Result<Option<lvm::Group>> {
    Ok(all(name)?.into_iter().find(|group| group.name == name))
}

/// The volume group that was made for a pool, or else the one of that name.
pub(super) fn find_of(spec: &PoolSpec, name: &str) -> Result<Option<lvm::Group>> {
    let mut all = all(name)?;
    let ours = |group: &lvm::Group| spec.id.is_some() && label::pool_of(&group.tags) == spec.id;
    let found = all.iter().position(ours).or_else(|| all.iter().position(|it| it.name == name));
    Ok(found.map(|at| all.swap_remove(at)))
}

fn all(name: &str) -> Result<Vec<lvm::Group>> {
    lvm::groups().map_err(|source| failed("look for volume group", name, source))
}

/// Makes the group of a new pool, or looks whether the one that is there may be taken.
pub(super) fn make(spec: &PoolSpec) -> Result<Option<File>> {
    let name = group_name(spec)?;
    match Source::of(spec) {
        Source::File(file) => make_in_file(spec, &file, &name).map(Some),
        Source::Disk(disk) => make_on_disk(spec, &disk, &name).map(|()| None),
        Source::Group => check(spec, &name).map(|()| None),
    }
}

fn make_in_file(spec: &PoolSpec, file: &Path, name: &str) -> Result<File> {
    if !fsio::exists(file)? {
        refuse_taken(name)?;
        return pool_file::make(spec, file, |new| {
            let (disk, open) = pool_file::attach(new)?;
            make_group(spec, &disk, name).map(|()| open)
        });
    }
    match label::pool(file)? == spec.id {
        true => attach(file),
        false => Err(Error::ForeignPool { path: file.to_owned() }),
    }
}

/// The disk that a file is, open: without volumes that are active it would go again.
pub(super) fn attach(file: &Path) -> Result<File> {
    match pool_file::device_of(file)? {
        Some(device) => File::open(&device).at("open", &device),
        None => pool_file::attach(file).map(|(_, open)| open),
    }
}

fn make_on_disk(spec: &PoolSpec, disk: &Path, name: &str) -> Result<()> {
    let refuse = |why| Err(Error::Source { path: disk.to_owned(), why });
    let Ok(stat) = fs::metadata(disk) else { return refuse("there is no such disk") };
    if !stat.file_type().is_block_device() {
        return refuse("it is no disk; the name of a volume group has no slash");
    }
    let whose = label::pool(disk)?;
    if whose.is_some() && whose == spec.id {
        return Ok(());
    }
    let holds = wipefs::signatures(disk).map_err(|source| failed("look at", disk, source))?;
    match (holds.is_empty(), spec.options.wipe, whose) {
        (true, ..) => {}
        (false, true, _) => {
            wipefs::wipe(disk).map_err(|source| failed("wipe", disk, source))?;
        }
        (false, false, Some(_)) => return Err(Error::ForeignPool { path: disk.to_owned() }),
        (false, false, None) => {
            return refuse("it holds something already: empty it, or say source.wipe=true");
        }
    }
    refuse_taken(name)?;
    make_group(spec, disk, name)
}

fn refuse_taken(name: &str) -> Result<()> {
    let why = "there is one of that name already: choose another with lvm.vg_name";
    match find(name)? {
        Some(_) => Err(Error::Group { group: name.to_owned(), why }),
        None => Ok(()),
    }
}

fn make_group(spec: &PoolSpec, disk: &Path, name: &str) -> Result<()> {
    lvm::make_group(name, disk, &label::tag(spec.id))
        .map_err(|source| failed("make volume group", name, source))
}

/// Whether a group that somebody made may be taken.
fn check(spec: &PoolSpec, name: &str) -> Result<()> {
    let refuse = |why| Err(Error::Group { group: name.to_owned(), why });
    if find(name)?.is_none() {
        return refuse("there is none of that name");
    }
    let volumes = lvm::volumes(name).map_err(|source| failed("look at", name, source))?;
    let own = super::books(spec.id);
    if spec.options.lvm.reuse || volumes.is_empty() || volumes.iter().any(|it| it.name == own) {
        return Ok(());
    }
    match pools_in(&volumes).is_empty() {
        true => refuse("it has volumes: give an empty one, or say lvm.vg.force_reuse=true"),
        false => Err(Error::ForeignPool { path: PathBuf::from(name) }),
    }
}

/// The pools that have their books in a group.
pub(super) fn pools_in(volumes: &[lvm::Volume]) -> Vec<Uuid> {
    let id = |volume: &lvm::Volume| Uuid::parse_str(volume.name.strip_prefix(super::BOOKS)?).ok();
    volumes.iter().filter_map(id).collect()
}

pub(super) fn failed(doing: &'static str, what: impl AsRef<Path>, source: exec::Error) -> Error {
    let what = what.as_ref().display().to_string();
    Error::Program { doing, what, source: Box::new(source) }
}
