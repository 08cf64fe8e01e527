//! Where a pool lives, and its mount on the pool's folder.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use exec::mkfs_btrfs::{self, Old, holds_something};

use super::superblock;
use crate::error::At;
use crate::{Error, PoolSpec, Result, fsio, mounts, pool_file};

/// `BTRFS_SUPER_MAGIC` of linux/magic.h.
const MAGIC: i64 = 0x9123_683E;
/// Lets root of a pool's containers delete the subvolumes it made.
const OPTIONS: &str = "user_subvol_rm_allowed";

/// Where a pool lives.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// In a file of ours.
    File(PathBuf),
    /// On a disk or a partition.
    Disk(PathBuf),
    /// In a folder of a btrfs.
    Folder(PathBuf),
}

impl Source {
    pub(super) fn of(spec: &PoolSpec) -> Result<Source> {
        let Some(path) = &spec.source else { return Ok(Source::File(pool_file::path(spec))) };
        if let Some(disk) = spec.disk {
            return superblock::find(path, disk).map(Source::Disk);
        }
        let refuse = |why| Err(Error::Source { path: path.clone(), why });
        let Ok(stat) = fs::metadata(path) else {
            return refuse("there is no such disk or folder");
        };
        if stat.file_type().is_block_device() {
            return Ok(Source::Disk(path.clone()));
        }
        if !stat.is_dir() {
            return refuse("it is neither a disk nor a folder");
        }
        match is_btrfs(path)? {
            true => Ok(Source::Folder(path.clone())),
            false => refuse("it is a folder, but not of a btrfs"),
        }
    }
}

fn is_btrfs(path: &Path) -> Result<bool> {
    Ok(rustix::fs::statfs(path).at("look at", path)?.f_type == MAGIC)
}

/// Whether the pool is mounted on its folder.
fn mounted(path: &Path) -> Result<bool> {
    Ok(mounts::is_mounted(path)? && is_btrfs(path)?)
}

/// Mounts the file of a pool, unless it is.
pub(super) fn attach_file(spec: &PoolSpec, file: &Path) -> Result<()> {
    if mounted(&spec.path)? {
        return Ok(());
    }
    if !fsio::exists(file)? {
        return Err(Error::NoPool { path: spec.path.clone() });
    }
    // Open until it is mounted, or it would go again.
    let (device, _open) = pool_file::attach(file)?;
    mount(spec, &device)
}

/// Mounts a disk on the pool's folder, unless it is.
pub(super) fn mount(spec: &PoolSpec, disk: &Path) -> Result<()> {
    if mounted(&spec.path)? {
        return Ok(());
    }
    fsio::ensure_dir(&spec.path, 0o711)?;
    let options = match spec.options.mount_options.as_deref() {
        Some(own) if !own.is_empty() => format!("{OPTIONS},{own}"),
        _ => OPTIONS.to_owned(),
    };
    mounts::mount(disk, &spec.path, "btrfs", &options)
}

/// Formats a disk that holds nothing and mounts it. One that has an empty btrfs, or this pool already,
/// is only mounted.
pub(super) fn format_and_mount(spec: &PoolSpec, disk: &Path) -> Result<()> {
    if mounted(&spec.path)? {
        return Ok(());
    }
    let formatted = superblock::uuid(disk)?;
    if formatted.is_some() && formatted == spec.id {
        return mount(spec, disk);
    }
    let old = if spec.options.wipe { Old::Wipe } else { Old::Keep };
    let taken = if formatted.is_some() && old == Old::Keep {
        mount(spec, disk).and_then(|()| usable(spec, disk))
    } else {
        match format(spec, disk, old) {
            Ok(()) => mount(spec, disk),
            Err(error) if holds_something(&error) => Err(full(disk)),
            Err(error) => Err(Error::Format { path: disk.to_owned(), source: Box::new(error) }),
        }
    };
    if taken.is_err() {
        // The mount, and its place, of a pool that does not come to be; the first error matters.
        let _ = mounts::unmount(&spec.path);
        let _ = fs::remove_dir(&spec.path);
    }
    taken
}

/// Whether a mounted file system that was there before holds nothing, or this pool.
fn usable(spec: &PoolSpec, disk: &Path) -> Result<()> {
    let names = fsio::names(&spec.path)?;
    match names.iter().all(|name| name == "pool.json") || spec.path.join("pool.json").exists() {
        // Whose it is will be looked at when the pool is made in it.
        true => Ok(()),
        false => Err(full(disk)),
    }
}

fn full(disk: &Path) -> Error {
    let why = "it holds something already: empty it, or say source.wipe=true";
    Error::Source { path: disk.to_owned(), why }
}

pub(super) fn enable_quotas(root: &Path) -> Result<()> {
    let folder = fsio::open_dir(root)?;
    sys::enable_subvolume_quotas(folder.as_fd()).at("enable quotas of", root)
}

/// Whether the file was made for this pool, whose identity its file system has.
pub(super) fn is_ours(spec: &PoolSpec, file: &Path) -> Result<bool> {
    Ok(spec.id.is_none() || superblock::uuid(file)? == spec.id)
}

/// Makes the file of a pool with an empty file system; one that is this pool's already is Ok.
pub(super) fn make_file(spec: &PoolSpec, file: &Path) -> Result<()> {
    if fsio::exists(file)? {
        return match is_ours(spec, file)? {
            true => Ok(()),
            false => Err(Error::ForeignPool { path: file.to_owned() }),
        };
    }
    pool_file::make(spec, file, |new| {
        format(spec, new, Old::Keep)
            .map_err(|source| Error::Format { path: new.to_owned(), source: Box::new(source) })
    })
}

/// Makes the pool's file system in a file or on a disk.
fn format(spec: &PoolSpec, target: &Path, old: Old) -> exec::Result<()> {
    let uuid = spec.id.map(|id| id.to_string());
    mkfs_btrfs::make(target, &spec.name, uuid.as_deref(), old)
}

/// Makes the file as large as the options say, and what is in it.
pub(super) fn grow(spec: &PoolSpec, file: &Path) -> Result<()> {
    if !pool_file::grow(spec, file)? {
        return Ok(());
    }
    attach_file(spec, file)?;
    pool_file::refresh(&mounts::device(&spec.path)?)?;
    expand(spec)
}

/// Makes the mounted file system as large as its disk.
pub(super) fn expand(spec: &PoolSpec) -> Result<()> {
    let root = fsio::open_dir(&spec.path)?;
    sys::grow_btrfs(root.as_fd()).at("make larger", &spec.path)
}
