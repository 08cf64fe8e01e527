//! Small file operations with the path in their errors.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{CWD, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use crate::Result;
use crate::error::At;

/// Makes a folder with exactly that mode; one that is there is Ok.
pub(crate) fn ensure_dir(path: &Path, mode: u32) -> Result<()> {
    match fs::DirBuilder::new().mode(mode).create(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other.at("make folder", path),
    }
}

/// Writes a new file and syncs it.
pub(crate) fn write_new(path: &Path, data: &[u8]) -> Result<()> {
    let open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = open.at("create", path)?;
    file.write_all(data).at("write", path)?;
    file.sync_all().at("sync", path)
}

/// A small file's bytes; None where there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(data) => Ok(Some(data)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).at("read", path),
    }
}

/// Replaces a file so that readers and a power cut see the old or the new one.
pub(crate) fn replace(path: &Path, data: &[u8]) -> Result<()> {
    let new = path.with_extension("new");
    remove_file(&new)?;
    write_new(&new, data)?;
    fs::rename(&new, path).at("replace", path)?;
    match path.parent() {
        Some(parent) => sync_dir(parent),
        None => Ok(()),
    }
}

/// Makes the names in a folder durable.
pub(crate) fn sync_dir(path: &Path) -> Result<()> {
    File::open(path).and_then(|dir| dir.sync_all()).at("sync", path)
}

/// Writes out everything of the file system that holds `path`.
pub(crate) fn sync_fs(path: &Path) -> Result<()> {
    let fd = open_dir(path)?;
    rustix::fs::syncfs(&fd).at("sync", path)
}

/// Opens a folder, never through a symbolic link at its end.
pub(crate) fn open_dir(path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).at("open", path)
}

/// Removes a file; an absent one is Ok.
pub(crate) fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.at("remove", path),
    }
}

/// Whether there is something at `path`, without following a link.
pub(crate) fn exists(path: &Path) -> Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e).at("look at", path),
    }
}

/// What a rename that replaces nothing came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    Yes,
    TargetExists,
    NoSource,
}

/// Renames unless something has the new name.
pub(crate) fn move_new(from: &Path, to: &Path) -> Result<Moved> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(Moved::Yes),
        Err(Errno::EXIST) => Ok(Moved::TargetExists),
        Err(Errno::NOENT) => Ok(Moved::NoSource),
        Err(e) => Err(e).at("rename", from),
    }
}

/// Swaps two names in one step.
pub(crate) fn swap(a: &Path, b: &Path) -> Result<()> {
    rustix::fs::renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).at("swap", a)
}

/// The names in a folder, sorted; names that are not UTF-8 are none of ours.
pub(crate) fn names(path: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let entries = match fs::read_dir(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(names),
        other => other.at("list", path)?,
    };
    for entry in entries {
        if let Ok(name) = entry.at("list", path)?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// A name no other thread, process or earlier run has.
pub(crate) fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = clock::since_1970();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{:x}-{:x}-{count:x}", now.as_nanos(), std::process::id())
}
