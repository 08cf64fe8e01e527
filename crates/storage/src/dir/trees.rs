//! How the files of a volume are kept: in a plain folder ([`Folders`]), in a subvolume of btrfs, on a
//! logical volume.
//!
//! A tree stands where a plain folder would (`rootfs/`, `data/`) and is made, renamed and swapped by that
//! name; a disk stands where a plain file would (`root.img`). So all else of this driver serves them all.

use std::fs::{self, OpenOptions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use exec::Control;

use super::layout::{Layout, Place};
use super::meta::Meta;
use crate::error::At;
use crate::streams::Outgoing;
use crate::{Content, Making, Result, Scrubbed, Usage, VolumeId, copy, fallback, fsio};

/// What a copy is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To be used.
    Use,
    /// To be used, as a volume that was not made of it.
    Copy,
    /// To be kept as a snapshot.
    Keep,
}

/// What a tree or a disk is to be like.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wanted<'a> {
    /// Bytes at most.
    pub(crate) size: Option<u64>,
    /// What its volume chooses for itself.
    pub(crate) making: Option<&'a Making>,
}

/// A kind of trees and disks. What is said of none is how plain folders and files do it.
pub(crate) trait Trees: Send + Sync {
    /// Whether an instance's root can be layers on its image's tree, on a file system that can.
    fn can_layer(&self) -> bool {
        false
    }

    /// How trees and disks are streamed, where they can be.
    fn streams(&self) -> Option<&dyn TreeStreams> {
        None
    }

    /// Whether sizes of trees are enforced.
    fn can_limit(&self, layout: &Layout) -> Result<bool>;

    /// Whether copies share their blocks.
    fn can_share(&self, layout: &Layout) -> Result<bool> {
        copy::can_reflink(&layout.tmp())
    }

    /// Makes an empty tree; a folder that is there is Ok.
    fn make(&self, path: &Path, mode: u32, wanted: Wanted<'_>) -> Result<()>;

    /// Makes `to` the same as `from` at once, where it can; whoever gets false copies the files.
    fn snapshot(
        &self,
        from: &Path,
        to: &Path,
        wanted: Wanted<'_>,
        why: Purpose,
        control: &Control,
    ) -> Result<bool> {
        let _ = (from, to, wanted, why, control);
        Ok(false)
    }

    /// Makes a folder, whose files move into a tree, count with it.
    fn join(&self, path: &Path, tree: &Path) -> Result<()> {
        let _ = (path, tree);
        Ok(())
    }

    /// Limits what is in a tree of that volume.
    fn limit(&self, path: &Path, wanted: Wanted<'_>, of: &VolumeId) -> Result<()> {
        let _ = (path, wanted, of);
        Ok(())
    }

    /// Lets a tree or a disk that is there have what can change of a volume's choices.
    fn tune(&self, path: &Path, making: &Making) -> Result<()> {
        let _ = (path, making);
        Ok(())
    }

    /// Whether the container that has a tree, which chose so, is to manage what it lies in.
    fn delegates(&self, path: &Path, making: &Making) -> Result<bool> {
        let _ = (path, making);
        Ok(false)
    }

    /// Lets root of a user namespace do so.
    fn delegate(&self, path: &Path, namespace: &Path) -> Result<()> {
        let _ = (path, namespace);
        Ok(())
    }

    /// Compares the file system that a pool is on with its checksums, where it has any.
    fn scrub(&self, root: &Path, control: &Control) -> Result<Option<Scrubbed>> {
        let _ = (root, control);
        Ok(None)
    }

    /// Where a tree's files are, or a disk, once it is open.
    fn place(&self, path: &Path) -> Result<PathBuf> {
        Ok(path.to_owned())
    }

    /// Makes a tree or a disk usable until as many [`Trees::close`].
    fn open(&self, path: &Path) -> Result<PathBuf> {
        Ok(path.to_owned())
    }

    /// Ends an open; one that is not open is Ok.
    fn close(&self, path: &Path) -> Result<()> {
        let _ = path;
        Ok(())
    }

    /// Makes what was written durable, but for the folder that it stands in.
    fn settle(&self, path: &Path) -> Result<()> {
        let _ = path;
        Ok(())
    }

    /// Where a fill writes an image's or an instance's contents: `rootfs/` and what is beside it, or a disk.
    fn begin_fill(&self, place: &Place, meta: &Meta) -> Result<PathBuf> {
        let _ = meta;
        Ok(place.folder.clone())
    }

    /// Puts what a fill wrote where it belongs.
    fn end_fill(&self, place: &Place, meta: &Meta) -> Result<()> {
        let _ = (place, meta);
        Ok(())
    }

    /// Removes the folder of a volume, a snapshot or a build with the trees and disks in it.
    fn remove(&self, folder: &Path) -> Result<()> {
        fallback::remove_tree(folder)
    }

    /// Room in the pool, where it is not that of the pool's file system.
    fn usage(&self) -> Result<Option<Usage>> {
        Ok(None)
    }

    /// Bytes that a tree or a disk takes; None when counting would take too long.
    fn used(&self, path: &Path, content: Content) -> Result<Option<u64>> {
        let _ = content;
        fallback::tree_usage(path)
    }

    /// Makes an empty disk.
    fn make_disk(&self, path: &Path, size: u64, making: &Making) -> Result<()> {
        let _ = making;
        let open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        open.at("create", path)?.set_len(size).at("resize", path)
    }

    /// Makes a disk with what is on another.
    fn copy_disk(
        &self,
        from: &Path,
        to: &Path,
        making: &Making,
        why: Purpose,
        control: &Control,
    ) -> Result<()> {
        let _ = (making, why);
        copy::copy_file(from, to, control)
    }

    /// Bytes of a disk.
    fn disk_size(&self, path: &Path) -> Result<u64> {
        Ok(fs::metadata(path).at("measure", path)?.len())
    }

    /// What a disk has that is to have so many bytes.
    fn whole(&self, size: u64) -> u64 {
        size
    }

    /// Makes a disk larger; the new end reads as zeros.
    fn grow_disk(&self, path: &Path, size: u64) -> Result<()> {
        let disk = OpenOptions::new().write(true).open(path).at("open", path)?;
        disk.set_len(size).at("resize", path)?;
        disk.sync_all().at("sync", path)
    }
}

/// Trees and disks as streams.
pub(crate) trait TreeStreams: Send + Sync {
    /// What a tree or a disk that nobody writes to is known by on whatever pool, and a number that grows with
    /// every one; None where it is no state to start from.
    fn known(&self, path: &Path) -> Result<Option<(Vec<String>, u64)>>;

    /// Holds a state to be sent, or what makes it of `base`; None where it cannot. `work` is a folder that
    /// goes afterwards.
    fn prepare<'a>(
        &'a self,
        path: &Path,
        base: Option<&Path>,
        why: Purpose,
        work: &Path,
    ) -> Result<Option<Box<dyn Outgoing + 'a>>>;

    /// Makes a tree or a disk of a stream, which may start from `base`. `kept`: nobody writes to it, and it
    /// is known by that.
    fn receive(
        &self,
        base: Option<&Path>,
        to: &Path,
        kept: Option<Option<&str>>,
        from: OwnedFd,
        control: &Control,
    ) -> Result<()>;
}

/// Makes a disk at least so large.
pub(super) fn grow_to(trees: &dyn Trees, path: &Path, size: u64) -> Result<()> {
    match trees.disk_size(path)? < trees.whole(size) {
        true => trees.grow_disk(path, size),
        false => Ok(()),
    }
}

/// An open tree or disk, closed when dropped.
pub(crate) struct Opened<'a> {
    trees: &'a dyn Trees,
    path: &'a Path,
    /// Where its files are.
    pub(crate) at: PathBuf,
}

impl<'a> Opened<'a> {
    pub(crate) fn new(trees: &'a dyn Trees, path: &'a Path) -> Result<Opened<'a>> {
        Ok(Opened { trees, path, at: trees.open(path)? })
    }
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        // What stays open is closed when it goes.
        let _ = self.trees.close(self.path);
    }
}

/// Plain folders and files.
pub(crate) struct Folders;

impl Trees for Folders {
    fn can_layer(&self) -> bool {
        true
    }

    fn can_limit(&self, _: &Layout) -> Result<bool> {
        Ok(false)
    }

    fn make(&self, path: &Path, mode: u32, _: Wanted<'_>) -> Result<()> {
        fsio::ensure_dir(path, mode)
    }
}

/// Moves what a fill wrote beside the root to a volume's folder, which is another file system: small files
/// and folders of small files.
pub(crate) fn move_out(from: &Path, to: &Path) -> Result<()> {
    if fs::symlink_metadata(from).at("look at", from)?.is_dir() {
        fsio::ensure_dir(to, 0o700)?;
        crate::copy_tree(from, to, &Control::none())?;
        return fallback::remove_tree(from);
    }
    copy::copy_file(from, to, &Control::none())?;
    fsio::remove_file(from)
}
