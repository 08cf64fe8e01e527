//! The tree being written. Everything is done from an open folder inside it to a plain name.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, ResolveFlags, Timestamps, Uid, openat2,
};
use rustix::io::Errno;

use crate::Result;
use crate::error::At;

const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A folder that entries are put into.
pub(super) struct Tree {
    path: PathBuf,
    root: OwnedFd,
    /// The folder of the entry before: archives come folder by folder.
    last: Option<(PathBuf, OwnedFd)>,
    /// Times of folders, set when nothing is put into them any more.
    folders: Vec<(PathBuf, Timestamps)>,
}

/// Owner and mode of an entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner {
    pub(super) uid: Uid,
    pub(super) gid: Gid,
    pub(super) mode: Mode,
}

impl Tree {
    pub(super) fn create(path: &Path) -> Result<Tree> {
        match std::fs::create_dir(path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other.at("make folder", path),
        }?;
        let root = rustix::fs::openat(CWD, path, FOLDER, Mode::empty()).at("open", path)?;
        Ok(Tree { path: path.to_owned(), root, last: None, folders: Vec::new() })
    }

    /// Sets what could not be set before.
    pub(super) fn finish(mut self) -> Result<()> {
        for (path, times) in std::mem::take(&mut self.folders).into_iter().rev() {
            // A later entry may have replaced the folder.
            if let Ok(folder) = self.open(&path, OFlags::RDONLY | OFlags::DIRECTORY) {
                rustix::fs::futimens(&folder, &times).at("set times of", self.path.join(&path))?;
            }
        }
        Ok(())
    }

    pub(super) fn remember_times(&mut self, path: &Path, times: Timestamps) {
        self.folders.push((path.to_owned(), times));
    }

    /// Makes a new file, in place of what had the name.
    pub(super) fn file(&mut self, path: &Path) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        self.replace(path, |folder, name| {
            rustix::fs::openat(folder, name, flags, Mode::RUSR | Mode::WUSR).map(File::from)
        })
    }

    /// Makes a folder, or opens the one that is there.
    pub(super) fn folder(&mut self, path: &Path) -> io::Result<OwnedFd> {
        if path.as_os_str().is_empty() {
            return Ok(rustix::fs::openat(&self.root, ".", FOLDER, Mode::empty())?);
        }
        let (folder, name) = self.parent(path)?;
        match rustix::fs::openat(folder, name, FOLDER, Mode::empty()) {
            Ok(there) => return Ok(there),
            Err(Errno::NOENT) => {}
            Err(Errno::NOTDIR | Errno::LOOP) => {
                rustix::fs::unlinkat(folder, name, AtFlags::empty())?;
            }
            Err(e) => return Err(e.into()),
        }
        rustix::fs::mkdirat(folder, name, Mode::RWXU)?;
        Ok(rustix::fs::openat(folder, name, FOLDER, Mode::empty())?)
    }

    pub(super) fn symlink(
        &mut self,
        path: &Path,
        to: &Path,
        owner: Owner,
        times: &Timestamps,
    ) -> io::Result<()> {
        self.replace(path, |folder, name| rustix::fs::symlinkat(to, folder, name))?;
        let (folder, name) = self.parent(path)?;
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        rustix::fs::chownat(folder, name, Some(owner.uid), Some(owner.gid), flags)?;
        Ok(rustix::fs::utimensat(folder, name, times, flags)?)
    }

    /// Makes a pipe or a device.
    pub(super) fn node(
        &mut self,
        path: &Path,
        kind: FileType,
        number: rustix::fs::Dev,
        owner: Owner,
    ) -> io::Result<()> {
        self.replace(path, |folder, name| {
            rustix::fs::mknodat(folder, name, kind, Mode::RUSR, number)
        })?;
        let (folder, name) = self.parent(path)?;
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        rustix::fs::chownat(folder, name, Some(owner.uid), Some(owner.gid), flags)?;
        Ok(rustix::fs::chmodat(folder, name, owner.mode, AtFlags::empty())?)
    }

    /// Gives a file of the tree a second name.
    pub(super) fn hard_link(&mut self, path: &Path, to: &Path) -> io::Result<()> {
        let target = self.open(to, OFlags::PATH | OFlags::NOFOLLOW)?;
        if FileType::from_raw_mode(rustix::fs::fstat(&target)?.st_mode).is_dir() {
            return Err(Errno::ISDIR.into());
        }
        self.replace(path, |folder, name| {
            rustix::fs::linkat(&target, "", folder, name, AtFlags::EMPTY_PATH)
        })
    }

    /// Opens something of the tree. Links are followed as they would be with the tree as `/`.
    fn open(&self, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
        let open = || openat2(&self.root, path, flags | OFlags::CLOEXEC, Mode::empty(), inside);
        // The kernel may ask for another try when something was renamed meanwhile.
        (0..8).map(|_| open()).find(|fd| !matches!(fd, Err(Errno::AGAIN))).unwrap_or_else(open)
    }

    /// The open folder of `path` and the name in it. Missing folders are made.
    fn parent<'p>(&mut self, path: &'p Path) -> io::Result<(BorrowedFd<'_>, &'p Path)> {
        let name = path.file_name().map(Path::new).ok_or(Errno::ISDIR)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        if self.last.as_ref().is_none_or(|(path, _)| path != folder) {
            let fd = self.open_or_make(folder)?;
            self.last = Some((folder.to_owned(), fd));
        }
        let fd = self.last.as_ref().map_or(self.root.as_fd(), |(_, fd)| fd.as_fd());
        Ok((fd, name))
    }

    fn open_or_make(&mut self, folder: &Path) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        match self.open(folder, flags) {
            Err(Errno::NOENT) if !folder.as_os_str().is_empty() => {
                let (parent, name) = self.parent(folder)?;
                rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755))?;
                Ok(self.open(folder, flags)?)
            }
            other => Ok(other?),
        }
    }

    /// Makes something new under a name, removing what had it.
    fn replace<T>(
        &mut self,
        path: &Path,
        make: impl Fn(BorrowedFd, &Path) -> rustix::io::Result<T>,
    ) -> io::Result<T> {
        let (folder, name) = self.parent(path)?;
        match make(folder, name) {
            Err(Errno::EXIST) => {
                rustix::fs::unlinkat(folder, name, AtFlags::empty())?;
                Ok(make(folder, name)?)
            }
            other => Ok(other?),
        }
    }
}
