//! The file that holds a pool: beside the pool's folder, sparse, made whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::error::At;
use crate::{Error, PoolSpec, Result, fsio};

/// What file systems make do with is about 110 MiB; a pool needs some room besides.
const LEAST: u64 = 256 << 20;
/// A fifth of what is free, within these bounds, when no size is given.
const USUAL: std::ops::RangeInclusive<u64> = 5 << 30..=30 << 30;

/// Where it lies.
pub(crate) fn path(spec: &PoolSpec) -> PathBuf {
    spec.path.with_file_name(format!("{}.img", spec.name))
}

/// Where it lies while it is made, and while it goes.
pub(crate) fn unfinished(file: &Path) -> PathBuf {
    file.with_extension("img.new")
}

/// Makes it and lets `format` write a pool into it.
pub(crate) fn make<T>(
    spec: &PoolSpec,
    file: &Path,
    format: impl FnOnce(&Path) -> Result<T>,
) -> Result<T> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder).at("make folder", folder)?;
    let size = size(spec, folder)?;
    let new = unfinished(file);
    fsio::remove_file(&new)?;
    let made = fill(&new, size, format);
    if made.is_err() {
        // The first error is the one that matters.
        let _ = fsio::remove_file(&new);
    }
    let made = made?;
    fs::rename(&new, file).at("rename", &new)?;
    fsio::sync_dir(folder)?;
    Ok(made)
}

fn fill<T>(new: &Path, size: u64, format: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    let open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(new);
    let file = open.at("create", new)?;
    file.set_len(size).at("resize", new)?;
    let made = format(new)?;
    file.sync_all().at("sync", new)?;
    Ok(made)
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

/// Makes it as large as the options say; false where it is.
pub(crate) fn grow(spec: &PoolSpec, path: &Path) -> Result<bool> {
    let file = OpenOptions::new().write(true).open(path).at("open", path)?;
    let now = file.metadata().at("measure", path)?.len();
    let Some(size) = spec.options.size.filter(|size| *size != now) else { return Ok(false) };
    if size < now {
        let why = format!("it has {now} already, and cannot shrink");
        return Err(Error::PoolSize { pool: spec.name.clone(), size, why });
    }
    let room = rustix::fs::statvfs(path).at("measure", path)?;
    check(spec, size, room.f_blocks * room.f_frsize)?;
    file.set_len(size).at("resize", path)?;
    file.sync_all().at("sync", path)?;
    Ok(true)
}

/// Lets the loop device see that its file has grown.
pub(crate) fn refresh(device: &Path) -> Result<()> {
    let open = File::open(device).at("open", device)?;
    sys::refresh_loop(open.as_fd()).at("make larger", device)
}

/// Makes the file a disk, which goes with the last of the returned file and what is mounted or
/// active on it.
pub(crate) fn attach(file: &Path) -> Result<(PathBuf, File)> {
    let backing = OpenOptions::new().read(true).write(true).open(file).at("open", file)?;
    sys::attach_loop(backing.as_fd()).at("make a loop device of", file)
}

/// The loop device that is a file already.
pub(crate) fn device_of(file: &Path) -> Result<Option<PathBuf>> {
    let file = file.canonicalize().at("find", file)?;
    let table = Path::new("/sys/block");
    for name in fsio::names(table)? {
        let backing = fs::read_to_string(table.join(&name).join("loop/backing_file"));
        // All that are no loop devices, or no longer.
        let Ok(backing) = backing else { continue };
        if Path::new(backing.trim_end_matches('\n')) == file {
            return Ok(Some(Path::new("/dev").join(name)));
        }
    }
    Ok(None)
}
