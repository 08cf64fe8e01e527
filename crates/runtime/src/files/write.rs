//! Files that come in.
//!
//! One that replaces another is written beside it and takes its place when it is whole, so that
//! nobody ever sees half of it. Where something is mounted on a file its place cannot be taken:
//! then it is written where it is.

use std::{
    os::fd::{AsFd, OwnedFd},
    process,
};

use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, StatxAttributes, StatxFlags, renameat, statx, unlinkat},
    io::Errno,
};

use super::{
    place::{Place, beneath},
    tree::{Tree, give, writable},
    words::{Owner, Writing},
};

/// A file that is not yet where it belongs. Dropped before that, it is removed.
pub(super) struct Pending {
    place: Place,
    name: String,
    done: bool,
}

impl Pending {
    /// It is whole.
    pub(super) fn commit(mut self) -> Result<(), Errno> {
        renameat(&self.place.folder, self.name.as_str(), &self.place.folder, &self.place.name)?;
        self.done = true;
        Ok(())
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.done {
            // Nothing more can be done about one that stays.
            let _ = unlinkat(&self.place.folder, self.name.as_str(), AtFlags::empty());
        }
    }
}

impl Tree {
    /// Opens a file to be written.
    pub(super) fn write(
        &self,
        place: Place,
        how: Writing,
        owner: Owner,
    ) -> Result<(OwnedFd, Option<Pending>), Errno> {
        if place.name == "." {
            return Err(Errno::ISDIR);
        }
        writable(place.folder.as_fd())?;
        let old = match place.stat() {
            Ok(old) => Some(old),
            Err(Errno::NOENT) => None,
            Err(error) => return Err(error),
        };
        match (how, old) {
            (Writing::Within { new: true, .. }, Some(_)) => Err(Errno::EXIST),
            (Writing::Within { create: false, .. }, None) => Err(Errno::NOENT),
            (Writing::Replace, Some(old)) if !is_mounted_on(&place) => {
                if FileType::from_raw_mode(old.st_mode) != FileType::RegularFile {
                    return Err(not_a_file(old.st_mode));
                }
                let owner = Owner {
                    uid: owner.uid.or(Some(old.st_uid)),
                    gid: owner.gid.or(Some(old.st_gid)),
                    mode: owner.mode.or(Some(old.st_mode & 0o7777)),
                };
                beside(place, owner)
            }
            (Writing::Replace, None) => beside(place, usual(owner)),
            (_, Some(_)) => Ok((in_place(&place, how, owner)?, None)),
            (_, None) => Ok((new(&place, place.name.as_ref(), how, usual(owner))?, None)),
        }
    }
}

fn usual(owner: Owner) -> Owner {
    Owner { mode: owner.mode.or(Some(0o644)), ..owner }
}

fn not_a_file(mode: u32) -> Errno {
    match FileType::from_raw_mode(mode) {
        FileType::Directory => Errno::ISDIR,
        _ => Errno::OPNOTSUPP,
    }
}

fn is_mounted_on(place: &Place) -> bool {
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    let seen = statx(&place.folder, &place.name, flags, StatxFlags::empty());
    seen.is_ok_and(|seen| seen.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

fn beside(place: Place, owner: Owner) -> Result<(OwnedFd, Option<Pending>), Errno> {
    // Whoever guesses it gains nothing: one that is there is not opened.
    let now = clock::since_1970();
    let name = format!(".microcloud-{:x}-{:x}", process::id(), now.as_nanos());
    let file = new(&place, name.as_ref(), Writing::Replace, owner)?;
    Ok((file, Some(Pending { place, name, done: false })))
}

fn new(
    place: &Place,
    name: &std::path::Path,
    how: Writing,
    owner: Owner,
) -> Result<OwnedFd, Errno> {
    let flags = access(how) | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
    let file = beneath(place.folder.as_fd(), name, flags, Mode::RUSR | Mode::WUSR)?;
    let given = give(file.as_fd(), owner);
    if given.is_err() {
        let _ = unlinkat(&place.folder, name, AtFlags::empty());
    }
    given.map(|()| file)
}

fn in_place(place: &Place, how: Writing, owner: Owner) -> Result<OwnedFd, Errno> {
    let file = place.open(access(how), FileType::RegularFile)?;
    writable(file.as_fd())?;
    give(file.as_fd(), owner)?;
    // Only now that it is known to be a file: to truncate something else has effects.
    if matches!(how, Writing::Replace | Writing::Within { truncate: true, .. }) {
        rustix::fs::ftruncate(&file, 0)?;
    }
    Ok(file)
}

fn access(how: Writing) -> OFlags {
    match how {
        Writing::Append => OFlags::WRONLY | OFlags::APPEND,
        Writing::Within { read: true, .. } => OFlags::RDWR,
        Writing::Replace | Writing::Within { .. } => OFlags::WRONLY,
    }
}
