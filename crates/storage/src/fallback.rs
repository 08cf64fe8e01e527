//! The slow way, once for all drivers: removing, counting, and copies between pools that share nothing.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use exec::Control;
use rustix::fs::{AtFlags, Dir, Mode, OFlags};
use rustix::io::Errno;

use crate::error::At;
use crate::{
    Access, Attached, Content, Held, Pool, Result, Shape, View, VolumeId, copy, copy_tree, fsio,
};

/// Folders open at once while removing; what lies deeper is moved up first.
const DEPTH: usize = 64;
/// Counting a volume's files gives up after this.
const PATIENCE: Duration = Duration::from_secs(10);

/// Copies a volume between two pools: all its files, or its disk. The copy has its files of its own.
pub fn copy_volume(
    from: (&dyn Pool, &VolumeId),
    to: (&dyn Pool, &VolumeId),
    shape: &Shape,
    control: &Control,
) -> Result<()> {
    let held = Held::volume(from.0, from.1)?;
    let folder = from.0.folder(from.1)?;
    let mut fill = |into: &Path| -> Result<(), crate::FillError> {
        fill_from(&held.attached, &folder, into, to.1, control).map_err(Into::into)
    };
    to.0.create(to.1, shape, Some(&mut fill), control)
}

/// The same from a snapshot.
pub fn copy_snapshot(
    from: (&dyn Pool, &VolumeId, &str),
    to: (&dyn Pool, &VolumeId),
    shape: &Shape,
    control: &Control,
) -> Result<()> {
    let (pool, of, name) = from;
    let (held, folder) = (Held::snapshot(pool, of, name)?, snapshot_folder(pool, of, name)?);
    let mut fill = |into: &Path| -> Result<(), crate::FillError> {
        fill_from(&held.attached, &folder, into, to.1, control).map_err(Into::into)
    };
    to.0.create(to.1, shape, Some(&mut fill), control)
}

/// Fills a new volume with what another has: its contents, and what lies beside them.
pub(crate) fn fill_from(
    attached: &Attached,
    folder: &Path,
    into: &Path,
    to: &VolumeId,
    control: &Control,
) -> Result<()> {
    let custom = to.kind.is_bare();
    if let Attached::Block(disk) = attached {
        copy::copy_file(disk, &into.join("root.img"), control)?;
    } else {
        let view = View::open(attached, Access::Read)?;
        let target = if custom { into.to_owned() } else { into.join("rootfs") };
        fsio::ensure_dir(&target, 0o700)?;
        copy_tree(&view.path(), &target, control)?;
    }
    if custom {
        return Ok(());
    }
    copy_beside(folder, into)
}

/// Copies what lies beside an instance's root into another folder.
pub fn copy_beside(folder: &Path, into: &Path) -> Result<()> {
    let control = &Control::none();
    if fsio::exists(&folder.join("metadata.yaml"))? {
        copy::copy_file(&folder.join("metadata.yaml"), &into.join("metadata.yaml"), control)?;
    }
    for name in ["templates", "boot", "nvram"] {
        copy_folder(&folder.join(name), &into.join(name))?;
    }
    Ok(())
}

/// Copies a folder of small files; an absent one is Ok.
pub(crate) fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    if !fsio::exists(from)? {
        return Ok(());
    }
    fsio::ensure_dir(to, 0o700)?;
    copy_tree(from, to, &Control::none()).map(drop)
}

/// The folder with what lies beside the contents of a snapshot.
fn snapshot_folder(pool: &dyn Pool, of: &VolumeId, name: &str) -> Result<PathBuf> {
    match pool.snapshots() {
        Some(snapshots) => snapshots.folder(of, name),
        None => pool.folder(of),
    }
}

/// What a volume is, as far as how it is attached tells.
pub fn content_of(attached: &Attached) -> Content {
    match attached {
        Attached::Block(_) => Content::Block,
        Attached::Path(_) | Attached::Overlay { .. } => Content::Filesystem,
    }
}

/// Removes a tree however deep it is; an absent one is Ok. Links are removed, never followed.
pub(crate) fn remove_tree(path: &Path) -> Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(top) => {
            while empty(top.as_fd(), top.as_fd(), 0).at("remove", path)? {}
            match std::fs::remove_dir(path) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
                other => other.at("remove", path),
            }
        }
        Err(Errno::NOENT) => Ok(()),
        Err(Errno::NOTDIR | Errno::LOOP) => fsio::remove_file(path),
        Err(e) => Err(e).at("remove", path),
    }
}

/// Removes what has a name in an open folder, however deep it is; nothing there is Ok.
pub(crate) fn remove_at(folder: BorrowedFd, name: &CStr) -> rustix::io::Result<()> {
    match rustix::fs::unlinkat(folder, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(e) => return Err(e),
    }
    // What lies too deep is moved up into the folder itself, and removed from there.
    while remove_sub(folder, name, folder, 0)? {
        for deep in Dir::read_from(folder)? {
            let deep = deep?;
            if deep.file_name().to_bytes().starts_with(b".deep-") {
                remove_at(folder, deep.file_name())?;
            }
        }
    }
    Ok(())
}

/// Brings a volume up to date with another, or with a snapshot: only files that differ are written.
/// The volume must not be in use; an error leaves it between the two, and can be tried again.
pub fn refresh_volume(
    from: (&dyn Pool, &VolumeId),
    to: (&dyn Pool, &VolumeId),
    control: &Control,
) -> Result<()> {
    let (source, target) = (Held::volume(from.0, from.1)?, Held::volume(to.0, to.1)?);
    refresh(&source.attached, &target.attached, control)?;
    let (from, to) = (from.0.folder(from.1)?, to.0.folder(to.1)?);
    refresh_own(&from.join("nvram"), &to.join("nvram"))
}

/// Puts what another machine's firmware remembers in the place of what this one's does.
pub(crate) fn refresh_own(from: &Path, to: &Path) -> Result<()> {
    let new = to.with_extension("new");
    remove_tree(&new)?;
    copy_folder(from, &new)?;
    if fsio::exists(&new)? {
        fsio::sync_fs(&new)?;
    }
    remove_tree(to)?;
    match fsio::move_new(&new, to)? {
        fsio::Moved::Yes => to.parent().map_or(Ok(()), fsio::sync_dir),
        _ => Ok(()),
    }
}

fn refresh(source: &Attached, target: &Attached, control: &Control) -> Result<()> {
    if let (Attached::Block(from), Attached::Block(to)) = (source, target) {
        return copy::sync_disk(from, to, control);
    }
    let (from, to) = (View::open(source, Access::Read)?, View::open(target, Access::Write)?);
    copy::sync_tree(&from.path(), &to.path(), control)?;
    rustix::fs::syncfs(
        rustix::fs::openat(
            to.as_fd(),
            ".",
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .at("open", to.path())?,
    )
    .at("sync", to.path())
}

/// Empties a folder; true when folders were moved up to `top` and wait there.
fn empty(folder: BorrowedFd, top: BorrowedFd, depth: usize) -> rustix::io::Result<bool> {
    let mut moved = false;
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        match rustix::fs::unlinkat(folder, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::ISDIR | Errno::PERM) => moved |= remove_sub(folder, name, top, depth)?,
            Err(e) => return Err(e),
        }
    }
    Ok(moved)
}

fn remove_sub(
    folder: BorrowedFd,
    name: &CStr,
    top: BorrowedFd,
    depth: usize,
) -> rustix::io::Result<bool> {
    if depth == DEPTH {
        let up = format!(".deep-{}", fsio::unique());
        rustix::fs::renameat(folder, name, top, up)?;
        return Ok(true);
    }
    // A subvolume goes whole. Most folders are none, and one with others in it cannot.
    if sys::delete_subvolume(folder, name).is_ok() {
        return Ok(false);
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let moved = match rustix::fs::openat(folder, name, flags, Mode::empty()) {
        Ok(sub) => {
            if rustix::fs::fstat(&sub)?.st_ino == sys::SUBVOLUME_INODE {
                // Fails where it is no subvolume but a folder of that number; the rest tells.
                let _ = sys::make_subvolume_writable(sub.as_fd());
            }
            empty(sub.as_fd(), top, depth + 1)?
        }
        Err(Errno::NOENT) => return Ok(false),
        Err(e) => return Err(e),
    };
    match rustix::fs::unlinkat(folder, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(moved),
        Err(e) => Err(e),
    }
}

/// Bytes on disk of a tree or a file; None when there is too much to count.
pub(crate) fn tree_usage(path: &Path) -> Result<Option<u64>> {
    let stat = std::fs::symlink_metadata(path).at("look at", path)?;
    let mut total = copy::disk_bytes(&stat);
    if !stat.is_dir() {
        return Ok(Some(total));
    }
    let end = Instant::now() + PATIENCE;
    let mut seen = std::collections::HashSet::new();
    let mut waiting = vec![path.to_owned()];
    while let Some(folder) = waiting.pop() {
        if Instant::now() > end {
            return Ok(None);
        }
        // Files come and go while an instance runs.
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            use std::os::unix::fs::MetadataExt;
            let Ok(stat) = entry.metadata() else { continue };
            if stat.is_dir() {
                waiting.push(entry.path());
            }
            if stat.is_dir() || stat.nlink() < 2 || seen.insert((stat.dev(), stat.ino())) {
                total += copy::disk_bytes(&stat);
            }
        }
    }
    Ok(Some(total))
}
