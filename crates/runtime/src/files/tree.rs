//! What can be done beneath a root.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{
        AtFlags, Dir, FileType, Gid, Mode, OFlags, RenameFlags, Timespec, Timestamps, Uid, chownat,
        fchmod, fchown, fstatfs, ftruncate, futimens, mkdirat, readlinkat, renameat_with,
        symlinkat, unlinkat, utimensat,
    },
    io::Errno,
};

use super::{
    place::{Place, find, tidy},
    words::{Change, Entry, FileKind, Owner, Seen},
};

/// Names of a folder that are listed at most: more would fill the memory of whoever asked.
const NAMES: usize = 500_000;

/// File systems whose files are switches of the kernel (`linux/magic.h`): proc, sysfs, cgroup,
/// cgroup2, debugfs, securityfs, tracefs, bpf. They can be read, not written.
const KERNEL: [u64; 8] = [
    0x9fa0,
    0x6265_6572,
    0x0027_e0eb,
    0x6367_7270,
    0x6462_6720,
    0x7363_6673,
    0x7472_6163,
    0xcafe_4a11,
];

/// A root.
pub(super) struct Tree {
    pub(super) root: OwnedFd,
}

impl Tree {
    pub(super) fn place(&self, path: &Path, follow: bool) -> Result<Place, Errno> {
        find(self.root.as_fd(), path, follow)
    }

    /// A place where something may be made, renamed or removed.
    fn place_to_change(&self, path: &Path, follow: bool) -> Result<Place, Errno> {
        let place = self.place(path, follow)?;
        writable(place.folder.as_fd()).map(|()| place)
    }

    pub(super) fn look(&self, path: &Path, follow: bool) -> Result<Seen, Errno> {
        Ok(Seen::from(&self.place(path, follow)?.stat()?))
    }

    pub(super) fn list(&self, path: &Path) -> Result<Vec<Entry>, Errno> {
        let folder = self.place(path, true)?.open(OFlags::RDONLY, FileType::Directory)?;
        let mut entries = Vec::new();
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            if entries.len() == NAMES {
                return Err(Errno::TOOBIG);
            }
            // It may be gone by now.
            let Ok(stat) = rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            let name = name.to_string_lossy().into_owned();
            entries.push(Entry { name, seen: Seen::from(&stat) });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    pub(super) fn link(&self, path: &Path) -> Result<PathBuf, Errno> {
        let place = self.place(path, false)?;
        let target = readlinkat(&place.folder, &place.name, Vec::new())?;
        Ok(PathBuf::from(target.to_string_lossy().into_owned()))
    }

    pub(super) fn read(&self, path: &Path) -> Result<OwnedFd, Errno> {
        self.place(path, true)?.open(OFlags::RDONLY, FileType::RegularFile)
    }

    /// One that is there is fine; its owner is changed where one is given.
    pub(super) fn make_folder(&self, path: &Path, owner: Owner) -> Result<(), Errno> {
        let place = self.place_to_change(path, true)?;
        if place.name == "." {
            return Ok(());
        }
        let mode = owner.mode.unwrap_or(0o755);
        let made = match mkdirat(&place.folder, &place.name, Mode::from_raw_mode(0o700)) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(error) => return Err(error),
        };
        let folder =
            place.open(OFlags::RDONLY, FileType::Directory).map_err(|error| match error {
                Errno::NOTDIR => Errno::EXIST,
                error => error,
            })?;
        let wanted = if made { Owner { mode: Some(mode), ..owner } } else { owner };
        give(folder.as_fd(), wanted)
    }

    /// Takes the place of a link that is there.
    pub(super) fn make_link(&self, path: &Path, to: &Path, owner: Owner) -> Result<(), Errno> {
        let place = self.place_to_change(path, false)?;
        match symlinkat(to, &place.folder, &place.name) {
            Err(Errno::EXIST) if is_link(&place)? => {
                unlinkat(&place.folder, &place.name, AtFlags::empty())?;
                symlinkat(to, &place.folder, &place.name)?;
            }
            result => result?,
        }
        let (uid, gid) = ids(owner);
        chownat(&place.folder, &place.name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
    }

    pub(super) fn rename(&self, from: &Path, to: &Path, replace: bool) -> Result<(), Errno> {
        let (from, to) = (self.place_to_change(from, false)?, self.place_to_change(to, false)?);
        let flags = if replace { RenameFlags::empty() } else { RenameFlags::NOREPLACE };
        renameat_with(&from.folder, &from.name, &to.folder, &to.name, flags)
    }

    /// Removes a file, a link, or a folder that is empty; with a kind only such a thing.
    pub(super) fn remove(&self, path: &Path, kind: Option<FileKind>) -> Result<(), Errno> {
        let place = self.place_to_change(path, false)?;
        if place.name == "." {
            return Err(Errno::BUSY);
        }
        let folder = Seen::from(&place.stat()?).kind == FileKind::Folder;
        match (folder, kind) {
            (true, Some(kind)) if kind != FileKind::Folder => return Err(Errno::ISDIR),
            (false, Some(FileKind::Folder)) => return Err(Errno::NOTDIR),
            _ => {}
        }
        let flags = if folder { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        unlinkat(&place.folder, &place.name, flags)
    }

    pub(super) fn change(&self, path: &Path, change: &Change) -> Result<(), Errno> {
        let place = self.place(path, true)?;
        let kind = FileType::from_raw_mode(place.stat()?.st_mode);
        if !matches!(kind, FileType::RegularFile | FileType::Directory) {
            return self.change_other(&place, change);
        }
        let writes = change.size.is_some();
        let open = place.open(if writes { OFlags::WRONLY } else { OFlags::RDONLY }, kind)?;
        writable(open.as_fd())?;
        give(open.as_fd(), change.owner)?;
        if let Some(size) = change.size {
            ftruncate(&open, size)?;
        }
        change.times.map_or(Ok(()), |at| futimens(&open, &times(at)))
    }

    /// What cannot be opened has its owner changed, and its times.
    fn change_other(&self, place: &Place, change: &Change) -> Result<(), Errno> {
        if change.size.is_some() || change.owner.mode.is_some() {
            return Err(Errno::OPNOTSUPP);
        }
        let (uid, gid) = ids(change.owner);
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        chownat(&place.folder, &place.name, uid, gid, flags)?;
        let set = |at| utimensat(&place.folder, &place.name, &times(at), flags);
        change.times.map_or(Ok(()), set)
    }

    /// Where links lead to is told by the kernel only through proc, which is the instance's: so
    /// only the words of a path are put in order.
    pub(super) fn resolve(&self, path: &Path) -> Result<PathBuf, Errno> {
        Ok(tidy(path))
    }
}

fn is_link(place: &Place) -> Result<bool, Errno> {
    Ok(Seen::from(&place.stat()?).kind == FileKind::Link)
}

fn times((accessed, modified): (i64, i64)) -> Timestamps {
    let at = |seconds| Timespec { tv_sec: seconds, tv_nsec: 0 };
    Timestamps { last_access: at(accessed), last_modification: at(modified) }
}

fn ids(owner: Owner) -> (Option<Uid>, Option<Gid>) {
    (owner.uid.map(Uid::from_raw), owner.gid.map(Gid::from_raw))
}

/// Gives an open file its owner, and then its mode: the first takes setuid away.
pub(super) fn give(file: BorrowedFd, owner: Owner) -> Result<(), Errno> {
    let (uid, gid) = ids(owner);
    if uid.is_some() || gid.is_some() {
        fchown(file, uid, gid)?;
    }
    owner.mode.map_or(Ok(()), |mode| fchmod(file, Mode::from_raw_mode(mode & 0o7777)))
}

/// Fails for switches of the kernel.
pub(super) fn writable(file: BorrowedFd) -> Result<(), Errno> {
    let kind = fstatfs(file)?.f_type as u64 & 0xffff_ffff;
    if KERNEL.contains(&kind) { Err(Errno::ROFS) } else { Ok(()) }
}
