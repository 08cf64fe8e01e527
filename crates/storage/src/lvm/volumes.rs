//! Trees and disks that are logical volumes.
//!
//! ```text
//! containers/web/rootfs      a file: {"volume": "v_1f..", "file_system": "ext4"}
//! mounts/v_1f../             its file system, mounted while it is used
//! mounts/v_1f../rootfs/      the tree: not at the top, so that a path to it leads nowhere when it is not
//!                            mounted, and not into an empty folder
//! custom/p_disk/root.img     a file: {"volume": "v_2e.."}; the disk is /dev/<group>/v_2e..
//! ```

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use exec::Control;
use exec::lvm::Kind;
use exec::mkfs::{self, FileSystem, Files};

use super::group::Group;
use super::reference::{self, FILLING, Reference};
use crate::dir::{Layout, Meta, Place, Purpose, Trees, move_out};
use crate::error::At;
use crate::{Content, Error, Result, Usage, VolumeId, copy, fallback, fsio, mounts};

/// Bytes of a volume of files that is given no size.
const USUAL: u64 = 10 << 30;

/// Those of a pool.
pub(super) struct Volumes {
    pub(super) group: Group,
    /// The pool's folder.
    root: PathBuf,
    /// Where they are mounted.
    mounts: PathBuf,
    /// How often each is open.
    open: Mutex<HashMap<String, usize>>,
}

impl Volumes {
    pub(super) fn new(group: Group, root: &Path) -> Volumes {
        Volumes {
            group,
            root: root.to_owned(),
            mounts: root.join("mounts"),
            open: Mutex::default(),
        }
    }

    fn count(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn usual(&self) -> u64 {
        self.group.options.volume_size.unwrap_or(USUAL)
    }

    /// Makes a volume with an empty file system.
    fn make_files(&self, path: &Path, size: Option<u64>) -> Result<Reference> {
        let kind = self.group.options.file_system;
        let new = Reference::new(Some(kind));
        new.write(path)?;
        self.group.make(&new.volume, size.unwrap_or(self.usual()))?;
        let disk = self.group.device(&new.volume);
        let failed = |source| Error::Format { path: disk.clone(), source: Box::new(source) };
        mkfs::make(&disk, kind, Files::Any).map_err(failed)?;
        Ok(new)
    }

    /// Mounts a volume, unless it is. The count is held meanwhile, so that nobody unmounts it.
    fn mount(&self, volume: &Reference, kind: FileSystem) -> Result<PathBuf> {
        let at = self.mounts.join(&volume.volume);
        if mounts::is_mounted(&at)? {
            return Ok(at);
        }
        let disk = self.group.activate(&volume.volume)?;
        fsio::ensure_dir(&self.mounts, 0o700)?;
        fsio::ensure_dir(&at, 0o700)?;
        let (name, own) = match kind {
            // Tables of inodes are written when they are needed: they would take a thin pool's room.
            FileSystem::Ext4 => ("ext4", "noinit_itable"),
            // Snapshots have the identity of what they are of.
            FileSystem::Xfs => ("xfs", "nouuid"),
        };
        let options = self.group.options.volume_mount_options.as_deref().unwrap_or("discard");
        mounts::mount(&disk, &at, name, &format!("{own},{options}"))?;
        Ok(at)
    }

    /// Ends the mount of a volume that nobody has open.
    fn unmount(&self, volume: &str) -> Result<()> {
        let at = self.mounts.join(volume);
        mounts::unmount_idle(&at)?;
        // It stays where somebody uses the mount after all.
        let _ = fs::remove_dir(&at);
        Ok(())
    }

    /// Ends the mounts of volumes that go, and removes them.
    fn discard(&self, references: Vec<Reference>) -> Result<()> {
        {
            let mut count = self.count();
            for one in &references {
                count.remove(&one.volume);
                let at = self.mounts.join(&one.volume);
                mounts::unmount(&at)?;
                // It may never have been mounted.
                let _ = fs::remove_dir(&at);
            }
        }
        self.group.remove(references.into_iter().map(|one| one.volume).collect())
    }

    /// Removes volumes that nothing names, and what builds left among the mounts. What another opening of
    /// the pool makes meanwhile is named before it is there.
    pub(super) fn clean(&self) -> Result<()> {
        let there = self.group.list()?;
        let named = reference::in_pool(&self.root)?;
        let is_named = |name: &str| named.iter().any(|one| one.volume == name);
        let lost = there.into_iter().filter(|one| reference::is_named_so(&one.name));
        let lost = lost.filter(|one| !is_named(&one.name));
        let lost = lost.map(|one| Reference { volume: one.name, file_system: None });
        self.discard(lost.collect())?;
        for name in fsio::names(&self.mounts)?.into_iter().filter(|name| !is_named(name)) {
            let path = self.mounts.join(name);
            if !mounts::is_mounted(&path)? {
                fallback::remove_tree(&path)?;
            }
        }
        Ok(())
    }

    /// Makes a disk of what a fill wrote as a file.
    fn end_disk(&self, place: &Place, file: &Path, size: Option<u64>) -> Result<()> {
        let length = fs::metadata(file).at("measure", file)?.len();
        let disk = place.disk();
        self.make_disk(&disk, length.max(size.unwrap_or(0)).max(1))?;
        let volume = Reference::read(&disk)?.volume;
        copy::copy_onto_disk(file, &self.group.device(&volume), &Control::none())?;
        fsio::remove_file(file)
    }
}

/// What a file system has in its top folder that is none of a fill's.
fn is_fixture(name: &str) -> bool {
    name == "lost+found"
}

impl Trees for Volumes {
    fn can_limit(&self, _: &Layout) -> Result<bool> {
        Ok(true)
    }

    fn can_share(&self, _: &Layout) -> Result<bool> {
        Ok(!self.group.options.thick)
    }

    fn make(&self, path: &Path, mode: u32, size: Option<u64>) -> Result<()> {
        let new = self.make_files(path, size)?;
        let top = self.mount(&new, self.group.options.file_system)?;
        fsio::ensure_dir(&top.join(path.file_name().unwrap_or_default()), mode)
    }

    fn snapshot(&self, from: &Path, to: &Path, size: Option<u64>, why: Purpose) -> Result<bool> {
        let source = Reference::read(from)?;
        if self.group.options.thick {
            return Ok(false);
        }
        // A file system that is to be smaller is made anew.
        if let Some(size) = size
            && self.group.whole(size) < self.group.size_of_any(&source.volume)?
        {
            return Ok(false);
        }
        let new = Reference::new(source.file_system);
        new.write(to)?;
        let of = source.volume.as_str();
        let kind = match why {
            Purpose::Use => Kind::Copy { of },
            Purpose::Keep => Kind::Snapshot { of },
        };
        self.group.make_kind(&new.volume, kind)?;
        Ok(true)
    }

    fn limit(&self, path: &Path, size: Option<u64>, of: &VolumeId) -> Result<()> {
        let volume = Reference::read(path)?;
        let wanted = size.unwrap_or(self.usual());
        let now = self.group.size(&volume.volume)?;
        if self.group.whole(wanted) < now && size.is_some() {
            return Err(Error::Shrink { volume: of.clone(), from: now, to: wanted });
        }
        let Some(kind) = volume.file_system.filter(|_| self.group.whole(wanted) > now) else {
            return Ok(());
        };
        self.group.grow(&volume.volume, wanted)?;
        self.open(path)?;
        let (disk, top) = (self.group.device(&volume.volume), self.mounts.join(&volume.volume));
        let grown = mkfs::grow(&disk, &top, kind);
        self.close(path)?;
        grown.map_err(self.group.failed("make larger what is in volume", &volume.volume))
    }

    fn place(&self, path: &Path) -> Result<PathBuf> {
        let volume = Reference::read(path)?;
        Ok(match volume.file_system {
            None => self.group.device(&volume.volume),
            Some(_) => {
                let name = path.file_name().unwrap_or_default();
                self.mounts.join(&volume.volume).join(name)
            }
        })
    }

    fn open(&self, path: &Path) -> Result<PathBuf> {
        let volume = Reference::read(path)?;
        let mut count = self.count();
        match volume.file_system {
            Some(kind) => drop(self.mount(&volume, kind)?),
            None => drop(self.group.activate(&volume.volume)?),
        }
        *count.entry(volume.volume).or_default() += 1;
        drop(count);
        self.place(path)
    }

    fn close(&self, path: &Path) -> Result<()> {
        let Some(volume) = Reference::find(path)? else { return Ok(()) };
        let mut count = self.count();
        let left = count.get(&volume.volume).map_or(0, |times| times - 1);
        match left {
            0 => count.remove(&volume.volume),
            _ => count.insert(volume.volume.clone(), left),
        };
        match volume.file_system {
            Some(_) if left == 0 => self.unmount(&volume.volume),
            _ => Ok(()),
        }
    }

    fn settle(&self, path: &Path) -> Result<()> {
        let volume = Reference::read(path)?;
        let at = self.mounts.join(&volume.volume);
        let count = self.count();
        if volume.file_system.is_none() || !mounts::is_mounted(&at)? {
            return Ok(());
        }
        fsio::sync_fs(&at)?;
        match count.contains_key(&volume.volume) {
            true => Ok(()),
            false => self.unmount(&volume.volume),
        }
    }

    fn begin_fill(&self, place: &Place, meta: &Meta) -> Result<PathBuf> {
        let size = match meta.content {
            Content::Filesystem => meta.size,
            // The file of a disk, and what a file system takes for itself.
            Content::Block => {
                meta.size.map(|size| (size + size / 8 + (64 << 20)).max(self.usual()))
            }
        };
        let path = place.folder.join(FILLING);
        let volume = self.make_files(&path, size)?;
        self.open(&path)?;
        Ok(self.mounts.join(volume.volume))
    }

    fn end_fill(&self, place: &Place, meta: &Meta) -> Result<()> {
        let filling = place.folder.join(FILLING);
        let volume = Reference::read(&filling)?;
        let top = self.mounts.join(&volume.volume);
        let contents = meta.contents(place);
        let name = contents.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for beside in fsio::names(&top)? {
            if beside != name && !is_fixture(&beside) {
                move_out(&top.join(&beside), &place.folder.join(&beside))?;
            }
        }
        let there = fsio::exists(&top.join(&name))?;
        if there && meta.content == Content::Block {
            self.end_disk(place, &top.join(&name), meta.size)?;
        }
        self.close(&filling)?;
        match (there, meta.content) {
            (true, Content::Filesystem) => fs::rename(&filling, contents).at("move", &filling),
            (true, Content::Block) => {
                self.discard(vec![volume])?;
                fsio::remove_file(&filling)
            }
            (false, _) => Ok(()),
        }
    }

    fn remove(&self, folder: &Path) -> Result<()> {
        self.discard(reference::in_folder(folder)?)?;
        fallback::remove_tree(folder)
    }

    fn usage(&self) -> Result<Option<Usage>> {
        super::usage::of(&self.group, &self.root).map(Some)
    }

    fn used(&self, path: &Path, content: Content) -> Result<Option<u64>> {
        let volume = Reference::read(path)?;
        if content == Content::Block {
            return super::usage::of_disk(&self.group, &volume.volume);
        }
        self.open(path)?;
        let used = super::usage::of_files(&self.mounts.join(&volume.volume));
        self.close(path)?;
        used.map(Some)
    }

    fn make_disk(&self, path: &Path, size: u64) -> Result<()> {
        let new = Reference::new(None);
        new.write(path)?;
        self.group.make(&new.volume, size)?;
        self.group.clear(&new.volume, 0)
    }

    fn copy_disk(&self, from: &Path, to: &Path, why: Purpose, control: &Control) -> Result<()> {
        if self.snapshot(from, to, None, why)? {
            return Ok(());
        }
        self.make_disk(to, self.disk_size(from)?)?;
        copy::copy_onto_disk(&self.open(from)?, &self.place(to)?, control)
    }

    fn disk_size(&self, path: &Path) -> Result<u64> {
        self.group.size(&Reference::read(path)?.volume)
    }

    fn whole(&self, size: u64) -> u64 {
        self.group.whole(size)
    }

    fn grow_disk(&self, path: &Path, size: u64) -> Result<()> {
        let volume = Reference::read(path)?.volume;
        let before = self.group.size(&volume)?;
        self.group.grow(&volume, size)?;
        self.group.clear(&volume, before)
    }
}
