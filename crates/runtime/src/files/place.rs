//! From a path to the folder it lies in, never out of the root.

use std::{
    ffi::{OsStr, OsString},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStringExt,
    },
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, fstat, openat2, readlinkat, statat},
    io::{Errno, retry_on_intr},
};

/// Links that are followed in a row, as the kernel has it (`MAXSYMLINKS`).
const LINKS: usize = 40;

/// Where a path leads: a name in an open folder. The root itself is `.` in it.
pub(super) struct Place {
    pub(super) folder: OwnedFd,
    pub(super) name: OsString,
}

impl Place {
    pub(super) fn stat(&self) -> Result<rustix::fs::Stat, Errno> {
        statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Opens it if it is of that type. It is looked at before: to open a device or a pipe has
    /// effects. And again after, for it may have been swapped meanwhile.
    pub(super) fn open(&self, flags: OFlags, kind: FileType) -> Result<OwnedFd, Errno> {
        let is = |stat: rustix::fs::Stat| match FileType::from_raw_mode(stat.st_mode) {
            found if found == kind => Ok(()),
            FileType::Directory => Err(Errno::ISDIR),
            _ if kind == FileType::Directory => Err(Errno::NOTDIR),
            _ => Err(Errno::OPNOTSUPP),
        };
        is(self.stat()?)?;
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let opened = beneath(self.folder.as_fd(), Path::new(&self.name), flags, Mode::empty())?;
        is(fstat(&opened)?)?;
        Ok(opened)
    }
}

/// `openat2` with `root` as the ceiling. A name that is swapped while the kernel walks gives
/// `EAGAIN`: once more, not for ever.
pub(super) fn beneath(
    root: BorrowedFd,
    path: &Path,
    flags: OFlags,
    mode: Mode,
) -> Result<OwnedFd, Errno> {
    const TRIES: usize = 64;
    let within = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let flags = flags | OFlags::CLOEXEC;
    let mut last = Errno::AGAIN;
    for _ in 0..TRIES {
        match retry_on_intr(|| openat2(root, path, flags, mode, within)) {
            Err(Errno::AGAIN) => last = Errno::AGAIN,
            result => return result,
        }
    }
    Err(last)
}

/// The place of a path. Links on the way are followed; the last one only with `follow`.
pub(super) fn find(root: BorrowedFd, path: &Path, follow: bool) -> Result<Place, Errno> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let place = one(root, &path)?;
        if !follow || place.name == "." {
            return Ok(place);
        }
        let target = match readlinkat(&place.folder, &place.name, Vec::new()) {
            Ok(target) => target,
            // No link, or nothing there yet.
            Err(Errno::INVAL | Errno::NOENT) => return Ok(place),
            Err(error) => return Err(error),
        };
        let target = OsString::from_vec(target.into_bytes());
        path = path.parent().unwrap_or(Path::new("/")).join(target);
    }
    Err(Errno::LOOP)
}

fn one(root: BorrowedFd, path: &Path) -> Result<Place, Errno> {
    let folder_of =
        |path: &Path| beneath(root, path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty());
    let (parent, name) = match path.components().next_back() {
        Some(Component::Normal(name)) => (path.parent().unwrap_or(Path::new("/")), name),
        _ => (path, OsStr::new(".")),
    };
    let parent = if parent.as_os_str().is_empty() { Path::new("/") } else { parent };
    Ok(Place { folder: folder_of(parent)?, name: name.to_owned() })
}

/// A path without `.`, `..` and doubled slashes, from the root on. For names only: links are not
/// looked at.
pub(super) fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => tidy.push(name),
            Component::ParentDir => drop(tidy.pop()),
            _ => {}
        }
    }
    tidy
}
