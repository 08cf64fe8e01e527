//! Where a pool lives, and its mount on the pool's folder.

use std::ffi::CString;
use std::fs::{self, OpenOptions};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use exec::mkfs_btrfs::{Old, holds_something};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags};

use super::{file, superblock};
use crate::error::At;
use crate::{Error, PoolSpec, Result, fsio};

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
        let Some(path) = &spec.source else { return Ok(Source::File(file::path(spec))) };
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
    if !fsio::exists(path)? || !is_btrfs(path)? {
        return Ok(false);
    }
    let above = path.parent().unwrap_or(Path::new("/"));
    let device = |path: &Path| fs::metadata(path).map(|stat| stat.dev()).at("look at", path);
    Ok(device(path)? != device(above)?)
}

/// Mounts the file of a pool, unless it is.
pub(super) fn attach_file(spec: &PoolSpec, file: &Path) -> Result<()> {
    if mounted(&spec.path)? {
        return Ok(());
    }
    if !fsio::exists(file)? {
        return Err(Error::NoPool { path: spec.path.clone() });
    }
    let backing = OpenOptions::new().read(true).write(true).open(file).at("open", file)?;
    // Open until it is mounted, or it would go again.
    let (device, _open) = sys::attach_loop(backing.as_fd()).at("make a loop device of", file)?;
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
    // Options with a zero byte are none the kernel could know.
    let options = CString::new(options).unwrap_or_default();
    let flags = MountFlags::empty();
    rustix::mount::mount(disk, &spec.path, "btrfs", flags, options.as_c_str()).at("mount", disk)
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
        match file::format(spec, disk, old) {
            Ok(()) => mount(spec, disk),
            Err(error) if holds_something(&error) => Err(full(disk)),
            Err(error) => Err(Error::Format { path: disk.to_owned(), source: Box::new(error) }),
        }
    };
    if taken.is_err() {
        // The mount, and its place, of a pool that does not come to be; the first error matters.
        let _ = unmount(&spec.path);
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

/// Ends the mount; none is Ok. Namespaces that have a copy keep the disk busy until they end.
pub(super) fn unmount(path: &Path) -> Result<()> {
    match rustix::mount::unmount(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
        Ok(()) | Err(Errno::INVAL | Errno::NOENT) => Ok(()),
        Err(error) => Err(error).at("unmount", path),
    }
}

pub(super) fn enable_quotas(root: &Path) -> Result<()> {
    let folder = fsio::open_dir(root)?;
    sys::enable_subvolume_quotas(folder.as_fd()).at("enable quotas of", root)
}

/// The device that is mounted on a folder, by proc_pid_mountinfo(5).
pub(super) fn device(path: &Path) -> Result<PathBuf> {
    let table = "/proc/thread-self/mountinfo";
    let text = fs::read_to_string(table).at("read", table)?;
    let wanted = path.to_string_lossy();
    let found = text.lines().rev().find_map(|line| {
        let (place, device) = line.split_once(" - ")?;
        // The mount point is the fifth word; after the dash come type and source.
        (place.split(' ').nth(4)? == wanted).then(|| device.split(' ').nth(1))?
    });
    let path = path.to_owned();
    found.map(PathBuf::from).ok_or(Error::NoPool { path })
}
