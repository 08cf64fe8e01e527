//! The walk over a tree that is copied. Every step goes from an open folder to a name in it, so a
//! tree that changes underneath, or was made to trick us, cannot lead the copy elsewhere.

use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use exec::{Control, Progress};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};

use super::attributes::{self, Entry};
use super::file;
use crate::error::At;
use crate::{Error, Result};

/// Two open folders a level; deeper trees are not made by anything that means well.
const DEPTH: usize = 256;

/// What a copy came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Entries of all kinds, the top not counted.
    pub entries: u64,
    /// Bytes written; shared blocks and holes are not counted.
    pub bytes: u64,
}

/// Copies all that is in folder `from` into the existing empty folder `to`, which gets its attributes.
pub fn copy_tree(from: &Path, to: &Path, control: &Control) -> Result<Copied> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let source = rustix::fs::open(from, flags, Mode::empty()).at("open", from)?;
    let target = rustix::fs::open(to, flags, Mode::empty()).at("open", to)?;
    let stat = rustix::fs::fstat(&source).at("look at", from)?;
    let mut copier =
        Copier { top: target.as_fd(), links: HashMap::new(), done: Copied::default(), control };
    copier.folder(source.as_fd(), target.as_fd(), Path::new(""), 0)?;
    attributes::copy_top(&fd_path(&source), &stat, &fd_path(&target))?;
    Ok(copier.done)
}

pub(super) fn fd_path(fd: &OwnedFd) -> PathBuf {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}/.", fd.as_raw_fd()).into()
}

struct Copier<'a> {
    top: BorrowedFd<'a>,
    /// Files with several names: where the first was copied to.
    links: HashMap<(u64, u64), PathBuf>,
    done: Copied,
    control: &'a Control,
}

impl Copier<'_> {
    fn folder(
        &mut self,
        from: BorrowedFd,
        to: BorrowedFd,
        path: &Path,
        depth: usize,
    ) -> Result<()> {
        if depth > DEPTH {
            return Err(Error::TooDeep { path: path.to_owned() });
        }
        for name in names(from).at("list", path)? {
            self.control.check()?;
            let path = path.join(as_path(&name));
            let from = Entry { folder: from, name: &name };
            let to = Entry { folder: to, name: &name };
            self.entry(from, to, &path, depth)?;
        }
        Ok(())
    }

    fn entry(&mut self, from: Entry, to: Entry, path: &Path, depth: usize) -> Result<()> {
        let stat = rustix::fs::statat(from.folder, from.name, AtFlags::SYMLINK_NOFOLLOW)
            .at("look at", path)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if !kind.is_dir() && self.link(&stat, to, path)? {
            return Ok(());
        }
        match kind {
            FileType::Directory => self.sub(from, to, path, depth)?,
            FileType::RegularFile => self.file(from, to, path)?,
            FileType::Symlink => symlink(from, to).at("copy link", path)?,
            kind => {
                let mode = Mode::RUSR | Mode::WUSR;
                rustix::fs::mknodat(to.folder, to.name, kind, mode, stat.st_rdev)
                    .at("make device", path)?;
            }
        }
        self.done.entries += 1;
        if self.done.entries.is_multiple_of(1000) {
            self.control.report(Progress::bytes("copy files", self.done.bytes, None));
        }
        attributes::copy(from, &stat, to)
    }

    /// Makes another name for a file that was copied before; false when it is new.
    fn link(&mut self, stat: &Stat, to: Entry, path: &Path) -> Result<bool> {
        if stat.st_nlink < 2 {
            return Ok(false);
        }
        #[allow(clippy::useless_conversion)] // the fields' types differ between architectures
        let key = (u64::from(stat.st_dev), u64::from(stat.st_ino));
        let Some(first) = self.links.get(&key) else {
            self.links.insert(key, path.to_owned());
            return Ok(false);
        };
        rustix::fs::linkat(self.top, first, to.folder, to.name, AtFlags::empty())
            .at("link", path)?;
        self.done.entries += 1;
        Ok(true)
    }

    fn sub(&mut self, from: Entry, to: Entry, path: &Path, depth: usize) -> Result<()> {
        rustix::fs::mkdirat(to.folder, to.name, Mode::RWXU).at("make folder", path)?;
        let source = open_folder(from).at("open", path)?;
        let target = open_folder(to).at("open", path)?;
        self.folder(source.as_fd(), target.as_fd(), path, depth + 1)
    }

    fn file(&mut self, from: Entry, to: Entry, path: &Path) -> Result<()> {
        let mut source = file::open_at(from.folder, from.name).at("open", path)?;
        let mut target = file::create_at(to.folder, to.name).at("create", path)?;
        self.done.bytes += file::copy_data(&mut source, &mut target, path, self.control)?;
        Ok(())
    }
}

pub(super) fn open_folder(entry: Entry) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(entry.folder, entry.name, flags, Mode::empty())
}

pub(super) fn symlink(from: Entry, to: Entry) -> rustix::io::Result<()> {
    let target = rustix::fs::readlinkat(from.folder, from.name, Vec::new())?;
    rustix::fs::symlinkat(&target, to.folder, to.name)
}

/// The names in a folder, read before anything is done with them.
pub(super) fn names(folder: BorrowedFd) -> rustix::io::Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    Ok(names)
}

pub(super) fn as_path(name: &CStr) -> &Path {
    use std::os::unix::ffi::OsStrExt;
    Path::new(std::ffi::OsStr::from_bytes(name.to_bytes()))
}
