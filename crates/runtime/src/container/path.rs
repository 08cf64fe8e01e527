//! Paths inside a container's root. What lies there is the container's, links too, so they are only
//! walked with the root as the ceiling.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Mode, OFlags, ResolveFlags, mkdirat, openat, openat2},
    io::Errno,
};

/// What to make if nothing is there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    File,
}

/// Opens what is at a path, as a place.
pub(super) fn resolve(root: BorrowedFd, path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let within = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    openat2(root, path, flags, Mode::empty(), within)
}

/// The same; makes what is missing of it. An existing file is never touched: opening one to
/// truncate it fails on FUSE and proc.
pub(super) fn make(root: BorrowedFd, path: &Path, kind: Kind) -> io::Result<OwnedFd> {
    match resolve(root, path) {
        Err(Errno::NOENT) => {}
        result => return Ok(result?),
    }
    let mut so_far = PathBuf::new();
    let mut place = resolve(root, Path::new("/"))?;
    let parts: Vec<_> = path.iter().filter(|part| *part != "/").collect();
    for (index, part) in parts.iter().enumerate() {
        so_far.push(part);
        place = match resolve(root, &so_far) {
            Err(Errno::NOENT) => {
                let last = index + 1 == parts.len();
                make_one(place.as_fd(), Path::new(part), if last { kind } else { Kind::Folder })?;
                resolve(root, &so_far)?
            }
            result => result?,
        };
    }
    Ok(place)
}

fn make_one(folder: BorrowedFd, name: &Path, kind: Kind) -> io::Result<()> {
    match kind {
        Kind::Folder => mkdirat(folder, name, Mode::from_raw_mode(0o755))?,
        Kind::File => {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
            openat(folder, name, flags, Mode::from_raw_mode(0o644))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn links_do_not_lead_out() {
        let outside = tempfile::tempdir().unwrap();
        let inside = tempfile::tempdir().unwrap();
        symlink(outside.path(), inside.path().join("way")).unwrap();
        let root = fs::File::open(inside.path()).unwrap();
        // The absolute link is read as a path inside the root, where nothing is.
        assert!(make(root.as_fd(), Path::new("/way/file"), Kind::File).is_err());
        symlink("../../..", inside.path().join("up")).unwrap();
        make(root.as_fd(), Path::new("/up/made/file"), Kind::File).unwrap();
        assert!(inside.path().join("made/file").is_file());
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }

    #[test]
    fn existing_files_keep_their_content() {
        let inside = tempfile::tempdir().unwrap();
        fs::write(inside.path().join("a"), "text").unwrap();
        let root = fs::File::open(inside.path()).unwrap();
        make(root.as_fd(), Path::new("/a"), Kind::File).unwrap();
        assert_eq!(fs::read(inside.path().join("a")).unwrap(), b"text");
    }
}
