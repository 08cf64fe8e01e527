//! Makes a tree the same as another by writing only what differs, as `rsync` does: a file of the same
//! size, time, owner and mode is taken to be the same.
//!
//! Every step goes from an open folder to a name in it. A file that differs is written beside and
//! renamed, so that none is ever half; what a crash leaves beside is removed by the next run.

use std::collections::HashMap;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use exec::{Control, Progress};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::attributes::{self, Entry};
use super::tree::{as_path, fd_path, names, open_folder, symlink};
use super::{Copied, file};
use crate::error::At;
use crate::{Error, Result, fallback, fsio};

/// Two open folders a level; deeper trees are not made by anything that means well.
const DEPTH: usize = 256;

/// Makes folder `to` the same as folder `from`; says what was written.
pub fn sync_tree(from: &Path, to: &Path, control: &Control) -> Result<Copied> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let source = rustix::fs::open(from, flags, Mode::empty()).at("open", from)?;
    let target = rustix::fs::open(to, flags, Mode::empty()).at("open", to)?;
    let stat = rustix::fs::fstat(&source).at("look at", from)?;
    let done = Copied::default();
    let mut sync = Sync { top: target.as_fd(), links: HashMap::new(), done, control };
    sync.folder(source.as_fd(), target.as_fd(), Path::new(""), 0)?;
    if !same(&stat, &rustix::fs::fstat(&target).at("look at", to)?) {
        attributes::copy_top(&fd_path(&source), &stat, &fd_path(&target))?;
    }
    Ok(sync.done)
}

struct Sync<'a> {
    top: BorrowedFd<'a>,
    /// Files with several names: where the first is.
    links: HashMap<(u64, u64), PathBuf>,
    done: Copied,
    control: &'a Control,
}

impl Sync<'_> {
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
        let wanted = names(from).at("list", path)?;
        let known: std::collections::HashSet<_> = wanted.iter().collect();
        for name in names(to).at("list", path)?.iter().filter(|name| !known.contains(name)) {
            self.control.check()?;
            fallback::remove_at(to, name).at("remove", path.join(as_path(name)))?;
        }
        for name in &wanted {
            self.control.check()?;
            let path = path.join(as_path(name));
            self.entry(Entry { folder: from, name }, Entry { folder: to, name }, &path, depth)?;
        }
        Ok(())
    }

    fn entry(&mut self, from: Entry, to: Entry, path: &Path, depth: usize) -> Result<()> {
        let stat = look(from).at("look at", path)?.ok_or(Errno::NOENT).at("look at", path)?;
        let there = look(to).at("look at", path)?;
        if FileType::from_raw_mode(stat.st_mode).is_dir() {
            return self.sub(from, to, path, (&stat, there), depth);
        }
        if stat.st_nlink > 1 {
            if let Some(first) = self.links.get(&inode(&stat)) {
                return link(self.top, first, to, there).at("link", path);
            }
            self.links.insert(inode(&stat), path.to_owned());
        }
        let kept = there.is_some_and(|there| {
            same(&stat, &there) && stat.st_nlink == there.st_nlink && like(from, to, &stat)
        });
        match kept {
            true => Ok(()),
            false => self.replace(from, &stat, to, path),
        }
    }

    fn sub(
        &mut self,
        from: Entry,
        to: Entry,
        path: &Path,
        (stat, there): (&Stat, Option<Stat>),
        depth: usize,
    ) -> Result<()> {
        let is_folder = |stat: &Stat| FileType::from_raw_mode(stat.st_mode).is_dir();
        let new = !there.as_ref().is_some_and(is_folder);
        if new {
            fallback::remove_at(to.folder, to.name).at("remove", path)?;
            rustix::fs::mkdirat(to.folder, to.name, Mode::RWXU).at("make folder", path)?;
        }
        let source = open_folder(from).at("open", path)?;
        let target = open_folder(to).at("open", path)?;
        self.folder(source.as_fd(), target.as_fd(), path, depth + 1)?;
        let now = rustix::fs::fstat(&target).at("look at", path)?;
        match same(stat, &now) && attributes::same_xattrs(&from.path(), &to.path())? {
            true => Ok(()),
            false => attributes::copy(from, stat, to),
        }
    }

    /// Writes an entry beside and renames it to its place.
    fn replace(&mut self, from: Entry, stat: &Stat, to: Entry, path: &Path) -> Result<()> {
        // A name without a zero byte, as it is ours.
        let beside = CString::new(format!(".sync-{}", fsio::unique())).unwrap_or_default();
        let new = Entry { folder: to.folder, name: &beside };
        let written = self.write(from, stat, new, path);
        let placed = written.and_then(|()| {
            clear_way(to).at("remove", path)?;
            rustix::fs::renameat(to.folder, &beside, to.folder, to.name).at("replace", path)
        });
        if placed.is_err() {
            // The next run removes it if this fails too.
            let _ = rustix::fs::unlinkat(to.folder, &beside, AtFlags::empty());
        }
        self.done.entries += 1;
        if self.done.entries.is_multiple_of(100) {
            self.control.report(Progress::bytes("refresh files", self.done.bytes, None));
        }
        placed
    }

    fn write(&mut self, from: Entry, stat: &Stat, new: Entry, path: &Path) -> Result<()> {
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {
                let mut source = file::open_at(from.folder, from.name).at("open", path)?;
                let mut target = file::create_at(new.folder, new.name).at("create", path)?;
                self.done.bytes += file::copy_data(&mut source, &mut target, path, self.control)?;
            }
            FileType::Symlink => symlink(from, new).at("copy link", path)?,
            kind => {
                let mode = Mode::RUSR | Mode::WUSR;
                rustix::fs::mknodat(new.folder, new.name, kind, mode, stat.st_rdev)
                    .at("make device", path)?;
            }
        }
        attributes::copy(from, stat, new)
    }
}

/// What is there under a name, if anything.
fn look(entry: Entry) -> rustix::io::Result<Option<Stat>> {
    match rustix::fs::statat(entry.folder, entry.name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(e) => Err(e),
    }
}

/// A folder cannot be replaced by a rename.
fn clear_way(to: Entry) -> rustix::io::Result<()> {
    match look(to)? {
        Some(there) if FileType::from_raw_mode(there.st_mode).is_dir() => {
            fallback::remove_at(to.folder, to.name)
        }
        _ => Ok(()),
    }
}

/// Makes a name another one of a file of the same tree.
fn link(top: BorrowedFd, first: &Path, to: Entry, there: Option<Stat>) -> rustix::io::Result<()> {
    let wanted = rustix::fs::statat(top, first, AtFlags::SYMLINK_NOFOLLOW)?;
    if there.is_some_and(|there| inode(&there) == inode(&wanted)) {
        return Ok(());
    }
    fallback::remove_at(to.folder, to.name)?;
    rustix::fs::linkat(top, first, to.folder, to.name, AtFlags::empty())
}

/// Whether two entries look the same from outside; a folder's size means nothing.
fn same(a: &Stat, b: &Stat) -> bool {
    let folder = FileType::from_raw_mode(a.st_mode).is_dir();
    a.st_mode == b.st_mode
        && (a.st_uid, a.st_gid, a.st_rdev) == (b.st_uid, b.st_gid, b.st_rdev)
        && (a.st_mtime, a.st_mtime_nsec) == (b.st_mtime, b.st_mtime_nsec)
        && (folder || a.st_size == b.st_size)
}

/// Whether what a look from outside does not tell is the same: attributes, a link's target.
fn like(from: Entry, to: Entry, stat: &Stat) -> bool {
    let target = |entry: Entry| rustix::fs::readlinkat(entry.folder, entry.name, Vec::new()).ok();
    let is_link = FileType::from_raw_mode(stat.st_mode).is_symlink();
    (!is_link || target(from) == target(to))
        && attributes::same_xattrs(&from.path(), &to.path()).unwrap_or(false)
}

#[allow(clippy::useless_conversion)] // the fields' types differ between architectures
fn inode(stat: &Stat) -> (u64, u64) {
    (u64::from(stat.st_dev), u64::from(stat.st_ino))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    fn set(root: &Path, name: &str, text: &str) {
        fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
        fs::write(root.join(name), text).unwrap();
    }

    #[test]
    fn only_what_differs_is_written_and_all_becomes_the_same() {
        if !rustix::process::geteuid().is_root() {
            return eprintln!("SKIP: needs root");
        }
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for name in ["same", "changed", "d/deep", "was-file/x", "linked"] {
            set(from.path(), name, "then");
        }
        symlink("a", from.path().join("link")).unwrap();
        crate::copy_tree(from.path(), to.path(), &Control::none()).unwrap();
        let nothing = sync_tree(from.path(), to.path(), &Control::none()).unwrap();
        assert_eq!(nothing, Copied::default(), "nothing differs");
        let kept = fs::metadata(to.path().join("same")).unwrap().ino();

        set(from.path(), "changed", "now!");
        set(from.path(), "new/file", "new");
        fs::hard_link(from.path().join("linked"), from.path().join("d/twin")).unwrap();
        fs::remove_file(from.path().join("link")).unwrap();
        symlink("b", from.path().join("link")).unwrap();
        fs::remove_dir_all(from.path().join("was-file")).unwrap();
        fs::write(from.path().join("was-file"), "a file").unwrap();
        set(to.path(), "extra/deep/file", "gone");
        set(to.path(), ".sync-of-a-crash", "gone");
        let done = sync_tree(from.path(), to.path(), &Control::none()).unwrap();
        assert!(done.entries >= 4 && done.entries <= 5, "{done:?}");
        let read = |name: &str| fs::read_to_string(to.path().join(name)).unwrap();
        assert_eq!(
            (read("changed"), read("new/file"), read("was-file")),
            ("now!".into(), "new".into(), "a file".into())
        );
        assert_eq!(fs::read_link(to.path().join("link")).unwrap(), Path::new("b"));
        let ino = |name: &str| fs::metadata(to.path().join(name)).unwrap().ino();
        assert_eq!((ino("linked"), ino("same")), (ino("d/twin"), kept));
        assert!(!to.path().join("extra").exists() && !to.path().join(".sync-of-a-crash").exists());
        let nothing = sync_tree(from.path(), to.path(), &Control::none()).unwrap();
        assert_eq!(nothing, Copied::default(), "nothing differs any more");
    }
}
