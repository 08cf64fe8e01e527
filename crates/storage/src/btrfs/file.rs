//! The file that holds a pool: beside the pool's folder, sparse, made whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use exec::mkfs_btrfs::{self, Old};

use super::{mount, superblock};
use crate::error::At;
use crate::{Error, PoolSpec, Result, fsio};

/// What mkfs.btrfs makes do with is about 110 MiB; a pool needs some room besides.
const LEAST: u64 = 256 << 20;
/// A fifth of what is free, within these bounds, when no size is given.
const USUAL: std::ops::RangeInclusive<u64> = 5 << 30..=30 << 30;

/// Where it lies.
pub(super) fn path(spec: &PoolSpec) -> PathBuf {
    spec.path.with_file_name(format!("{}.img", spec.name))
}

/// Whether the file was made for this pool, whose identity its file system has.
pub(super) fn is_ours(spec: &PoolSpec, file: &Path) -> Result<bool> {
    Ok(spec.id.is_none() || superblock::uuid(file)? == spec.id)
}

/// Makes it with an empty file system; one that is this pool's already is Ok.
pub(super) fn make(spec: &PoolSpec, file: &Path) -> Result<()> {
    if fsio::exists(file)? {
        return match is_ours(spec, file)? {
            true => Ok(()),
            false => Err(Error::ForeignPool { path: file.to_owned() }),
        };
    }
    let folder = file.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder).at("make folder", folder)?;
    let size = size(spec, folder)?;
    let new = file.with_extension("img.new");
    fsio::remove_file(&new)?;
    let made = fill(&new, size, spec);
    if made.is_err() {
        // The first error is the one that matters.
        let _ = fsio::remove_file(&new);
    }
    made?;
    fs::rename(&new, file).at("rename", &new)?;
    fsio::sync_dir(folder)
}

fn fill(new: &Path, size: u64, spec: &PoolSpec) -> Result<()> {
    let open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(new);
    let file = open.at("create", new)?;
    file.set_len(size).at("resize", new)?;
    format(spec, new, Old::Keep)
        .map_err(|source| Error::Format { path: new.to_owned(), source: Box::new(source) })?;
    file.sync_all().at("sync", new)
}

/// Makes the pool's file system in a file or on a disk.
pub(super) fn format(spec: &PoolSpec, target: &Path, old: Old) -> exec::Result<()> {
    let uuid = spec.id.map(|id| id.to_string());
    mkfs_btrfs::make(target, &spec.name, uuid.as_deref(), old)
}

fn size(spec: &PoolSpec, folder: &Path) -> Result<u64> {
    let room = rustix::fs::statvfs(folder).at("measure", folder)?;
    let (free, total) = (room.f_bavail * room.f_frsize, room.f_blocks * room.f_frsize);
    let size = spec.options.size.unwrap_or((free / 5).clamp(*USUAL.start(), *USUAL.end()));
    check(spec, size, total).map(|()| size)
}

/// The file is sparse, so it may be larger than what is free now, but not than there will ever be.
fn check(spec: &PoolSpec, size: u64, total: u64) -> Result<()> {
    if (LEAST..=total.max(LEAST)).contains(&size) {
        return Ok(());
    }
    let why = format!("it can be {LEAST} to {total}, what its disk has");
    Err(Error::PoolSize { pool: spec.name.clone(), size, why })
}

/// Makes it as large as the options say, and what is in it.
pub(super) fn grow(spec: &PoolSpec, path: &Path) -> Result<()> {
    let file = OpenOptions::new().write(true).open(path).at("open", path)?;
    let now = file.metadata().at("measure", path)?.len();
    let Some(size) = spec.options.size.filter(|size| *size != now) else { return Ok(()) };
    if size < now {
        let why = format!("it has {now} already, and cannot shrink");
        return Err(Error::PoolSize { pool: spec.name.clone(), size, why });
    }
    let room = rustix::fs::statvfs(path).at("measure", path)?;
    check(spec, size, room.f_blocks * room.f_frsize)?;
    file.set_len(size).at("resize", path)?;
    file.sync_all().at("sync", path)?;
    mount::attach_file(spec, path)?;
    let device = mount::device(&spec.path)?;
    let device = File::open(&device).at("open", &device)?;
    sys::refresh_loop(device.as_fd()).at("make larger", path)?;
    let root = fsio::open_dir(&spec.path)?;
    sys::grow_btrfs(root.as_fd()).at("make larger", &spec.path)
}
