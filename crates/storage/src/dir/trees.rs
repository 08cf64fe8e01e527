//! How the files of a volume are kept: in a plain folder, or in a subvolume of btrfs.
//!
//! A subvolume is copied in no time, can be limited, and is renamed as a folder is. So it stands where
//! a plain folder would (`rootfs/`, `data/`), and all else of this driver serves both.

use std::ffi::{CString, OsStr};
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use exec::Control;

use super::layout::Place;
use crate::error::At;
use crate::{Result, Scrubbed, copy, fsio};

/// What kind a pool has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trees {
    Folders,
    Subvolumes,
}

impl Trees {
    /// Makes an empty one; a folder that is there is Ok.
    pub(crate) fn make(self, path: &Path, mode: u32) -> Result<()> {
        match self {
            Trees::Folders => fsio::ensure_dir(path, mode),
            Trees::Subvolumes => {
                let (folder, name) = place(path)?;
                sys::create_subvolume(folder.as_fd(), &name).at("make subvolume", path)?;
                fs::set_permissions(path, fs::Permissions::from_mode(mode))
                    .at("change mode of", path)
            }
        }
    }

    /// Makes `to` the same as `from` at once, where it can; whoever gets false copies the files.
    pub(super) fn snapshot(self, from: &Path, to: &Path) -> Result<bool> {
        if self == Trees::Folders || !is_subvolume(from)? {
            return Ok(false);
        }
        snapshot(from, to)?;
        Ok(true)
    }

    /// Limits what is in it, in bytes.
    pub(super) fn limit(self, path: &Path, size: Option<u64>) -> Result<()> {
        if self == Trees::Folders {
            return Ok(());
        }
        let subvolume = fsio::open_dir(path)?;
        sys::limit_subvolume(subvolume.as_fd(), size).at("limit the size of", path)
    }

    /// Compares the file system that a pool is on with its checksums, where it has any.
    pub(super) fn scrub(self, root: &Path, control: &Control) -> Result<Option<Scrubbed>> {
        match self {
            Trees::Folders => Ok(None),
            Trees::Subvolumes => crate::btrfs::scrub(root, control).map(Some),
        }
    }

    /// Where a fill writes an image's or an instance's files: `rootfs/` and what is beside it.
    pub(super) fn begin_fill(self, place: &Place) -> Result<std::path::PathBuf> {
        match self {
            Trees::Folders => Ok(place.folder.clone()),
            Trees::Subvolumes => {
                let filling = place.folder.join("filling");
                self.make(&filling, 0o700)?;
                Ok(filling)
            }
        }
    }

    /// Puts what a fill wrote where it belongs. Nothing can be moved from one subvolume to another,
    /// so the one that was filled becomes `rootfs/`: what was in `rootfs/` moves up.
    pub(super) fn end_fill(self, place: &Place) -> Result<()> {
        if self == Trees::Folders {
            return Ok(());
        }
        let filling = place.folder.join("filling");
        let root = filling.join(fsio::unique());
        if fsio::move_new(&filling.join("rootfs"), &root)? == fsio::Moved::NoSource {
            return fsio::exists(&filling.join("root.img")).map(drop);
        }
        for name in fsio::names(&filling)? {
            let from = filling.join(&name);
            if from != root {
                move_out(&from, &place.folder.join(&name))?;
            }
        }
        for entry in fs::read_dir(&root).at("list", &root)? {
            let entry = entry.at("list", &root)?;
            let to = filling.join(entry.file_name());
            fs::rename(entry.path(), &to).at("move", entry.path())?;
        }
        copy::copy_folder_attributes(&root, &filling)?;
        fs::remove_dir(&root).at("remove", &root)?;
        fs::rename(&filling, place.rootfs()).at("move", &filling)
    }
}

/// Small files and folders of small files.
fn move_out(from: &Path, to: &Path) -> Result<()> {
    if fs::symlink_metadata(from).at("look at", from)?.is_dir() {
        fsio::ensure_dir(to, 0o700)?;
        crate::copy_tree(from, to, &exec::Control::none())?;
        return crate::fallback::remove_tree(from);
    }
    copy::copy_file(from, to, &exec::Control::none())?;
    fsio::remove_file(from)
}

/// An open folder and the name in it.
fn place(path: &Path) -> Result<(std::os::fd::OwnedFd, CString)> {
    let folder = fsio::open_dir(path.parent().unwrap_or(Path::new("/")))?;
    // A path with a zero byte names nothing.
    let name = CString::new(path.file_name().unwrap_or_default().as_bytes()).unwrap_or_default();
    Ok((folder, name))
}

pub(crate) fn is_subvolume(path: &Path) -> Result<bool> {
    let stat = fs::symlink_metadata(path).at("look at", path)?;
    Ok(stat.is_dir() && stat.ino() == sys::SUBVOLUME_INODE)
}

/// A snapshot of a subvolume, and of those in it: the kernel leaves empty folders in their places.
fn snapshot(from: &Path, to: &Path) -> Result<()> {
    let source = fsio::open_dir(from)?;
    let (folder, name) = place(to)?;
    sys::snapshot_subvolume(source.as_fd(), folder.as_fd(), &name)
        .at("take a snapshot of", from)?;
    let mut folders = sys::folders_with_subvolumes(source.as_fd()).at("look into", from)?;
    folders.sort();
    folders.dedup();
    for inner in folders {
        let inner = Path::new(OsStr::from_bytes(&inner));
        for entry in fs::read_dir(from.join(inner)).at("list", from)? {
            let path = entry.at("list", from)?.path();
            if is_subvolume(&path)? {
                let copy = to.join(inner).join(path.file_name().unwrap_or_default());
                fs::remove_dir(&copy).at("remove", &copy)?;
                snapshot(&path, &copy)?;
            }
        }
    }
    Ok(())
}
