//! Trees that are subvolumes: copied in no time, limited, and renamed as folders are.

use std::ffi::{CString, OsStr};
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use exec::Control;

use crate::dir::{Build, Layout, Meta, Place, Purpose, TreeStreams, Trees, Wanted, move_out};
use crate::error::At;
use crate::{Result, Scrubbed, VolumeId, copy, fsio};

/// The kind.
pub(crate) struct Subvolumes;

impl Trees for Subvolumes {
    fn streams(&self) -> Option<&dyn TreeStreams> {
        Some(self)
    }

    /// Quotas may be off on a file system that is not ours.
    fn can_limit(&self, layout: &Layout) -> Result<bool> {
        let build = Build::start(layout, std::sync::Arc::new(Subvolumes))?;
        let probe = build.place.data();
        self.make(&probe, 0o700, Wanted::default())?;
        Ok(limit(&probe, Some(1 << 20)).is_ok())
    }

    fn make(&self, path: &Path, mode: u32, _: Wanted<'_>) -> Result<()> {
        let (folder, name) = place(path)?;
        sys::create_subvolume(folder.as_fd(), &name).at("make subvolume", path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).at("change mode of", path)
    }

    fn snapshot(
        &self,
        from: &Path,
        to: &Path,
        _: Wanted<'_>,
        _: Purpose,
        _: &Control,
    ) -> Result<bool> {
        if !is_subvolume(from)? {
            return Ok(false);
        }
        snapshot(from, to)?;
        Ok(true)
    }

    fn limit(&self, path: &Path, wanted: Wanted<'_>, _: &VolumeId) -> Result<()> {
        limit(path, wanted.size)
    }

    fn scrub(&self, root: &Path, control: &Control) -> Result<Option<Scrubbed>> {
        super::scrub::scrub(root, control).map(Some)
    }

    fn begin_fill(&self, place: &Place, meta: &Meta) -> Result<PathBuf> {
        if meta.content.is_disk() {
            return Ok(place.folder.clone());
        }
        let filling = place.folder.join("filling");
        self.make(&filling, 0o700, Wanted::default())?;
        Ok(filling)
    }

    /// Nothing can be moved from one subvolume to another, so the one that was filled becomes `rootfs/`:
    /// what was in `rootfs/` moves up.
    fn end_fill(&self, place: &Place, meta: &Meta) -> Result<()> {
        if meta.content.is_disk() {
            return Ok(());
        }
        let filling = place.folder.join("filling");
        let root = filling.join(fsio::unique());
        if fsio::move_new(&filling.join("rootfs"), &root)? == fsio::Moved::NoSource {
            return Ok(());
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

fn limit(path: &Path, size: Option<u64>) -> Result<()> {
    let subvolume = fsio::open_dir(path)?;
    sys::limit_subvolume(subvolume.as_fd(), size).at("limit the size of", path)
}

/// An open folder and the name in it.
pub(super) fn place(path: &Path) -> Result<(std::os::fd::OwnedFd, CString)> {
    let folder = fsio::open_dir(path.parent().unwrap_or(Path::new("/")))?;
    // A path with a zero byte names nothing.
    let name = CString::new(path.file_name().unwrap_or_default().as_bytes()).unwrap_or_default();
    Ok((folder, name))
}

pub(super) fn is_subvolume(path: &Path) -> Result<bool> {
    let stat = fs::symlink_metadata(path).at("look at", path)?;
    Ok(stat.is_dir() && stat.ino() == sys::SUBVOLUME_INODE)
}

/// Whether there are other subvolumes in one.
pub(super) fn has_inner(path: &Path) -> Result<bool> {
    let tree = fsio::open_dir(path)?;
    Ok(!sys::folders_with_subvolumes(tree.as_fd()).at("look into", path)?.is_empty())
}

/// A snapshot of a subvolume, and of those in it: the kernel leaves empty folders in their places.
pub(super) fn snapshot(from: &Path, to: &Path) -> Result<()> {
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
