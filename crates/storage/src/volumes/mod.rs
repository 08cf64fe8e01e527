//! Trees and disks that are each a volume of something beneath: a volume group, a pool of ZFS.
//!
//! ```text
//! containers/web/rootfs      a file: {"volume": "v_1f..", "file_system": ".."}
//! mounts/v_1f../             its files, mounted while they are used
//! mounts/v_1f../rootfs/      the tree: not at the top, so that a path to it leads nowhere when it is not
//!                            mounted, and not into an empty folder
//! custom/p_disk/root.img     a file: {"volume": "v_2e.."}, which is a disk
//! ```

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use exec::Control;

use crate::dir::{Layout, Meta, Place, Purpose, TreeStreams, Trees, Wanted, move_out};
use crate::error::At;
use crate::{Content, Making, Result, Scrubbed, Usage, VolumeId, copy, fallback, fsio, mounts};

mod backing;
pub(crate) mod disks;
pub(crate) mod reference;
mod streams;

pub(crate) use backing::{Backing, Streaming};
use disks::Still;
pub(crate) use reference::is_named_so;
use reference::{FILLING, Reference};

/// Those of a pool.
pub(crate) struct Volumes<B> {
    backing: B,
    /// The pool's folder.
    root: PathBuf,
    /// Where they are mounted.
    mounts: PathBuf,
    /// How often each is open.
    open: Mutex<HashMap<String, usize>>,
}

impl<B: Backing> Volumes<B> {
    pub(crate) fn new(backing: B, root: &Path) -> Volumes<B> {
        let (root, mounts) = (root.to_owned(), root.join("mounts"));
        Volumes { backing, root, mounts, open: Mutex::default() }
    }

    fn count(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a volume is like, with the pool's choices where it has none.
    fn making(&self, own: Option<&Making>) -> Making {
        let usual = self.backing.usual();
        own.map_or_else(|| usual.clone(), |own| own.or(usual))
    }

    /// Makes a volume with no files.
    fn make_files(&self, path: &Path, wanted: Wanted<'_>) -> Result<Reference<B::Kind>> {
        let making = self.making(wanted.making);
        let kind = self.backing.kind(&making);
        let own = wanted.making.and_then(|making| making.mount_options.clone());
        let new = Reference::new(Some(kind)).mounted_with(own);
        new.write(path)?;
        self.backing.make_files(&new.volume, kind, wanted.size, &making)?;
        Ok(new)
    }

    /// Mounts a volume of files, unless it is. The count is held meanwhile, so that nobody unmounts it.
    fn mount(&self, volume: &Reference<B::Kind>, kind: B::Kind) -> Result<PathBuf> {
        let at = self.mounts.join(&volume.volume);
        if !mounts::is_mounted(&at)? {
            fsio::ensure_dir(&self.mounts, 0o700)?;
            fsio::ensure_dir(&at, 0o700)?;
            let options = volume.mount_options.as_deref();
            let options = options.or(self.backing.usual().mount_options.as_deref());
            self.backing.mount(&volume.volume, kind, options, &at)?;
        }
        Ok(at)
    }

    /// Whether what a volume chooses is what another has.
    fn is_like(&self, source: &Reference<B::Kind>, wanted: Wanted<'_>) -> bool {
        let chooses =
            |making: &&Making| making.file_system.is_some() || making.block_mode.is_some();
        match wanted.making.filter(chooses) {
            Some(own) => source.file_system == Some(self.backing.kind(&self.making(Some(own)))),
            None => true,
        }
    }

    /// Keeps the files of a volume still, where they are mounted and it needs that to be copied.
    fn still(&self, volume: &Reference<B::Kind>) -> Result<Option<Still>> {
        let at = self.mounts.join(&volume.volume);
        let needs = volume.file_system.is_some_and(|kind| self.backing.holds_still(kind));
        // Nobody mounts or unmounts it meanwhile.
        let _count = self.count();
        match needs && mounts::is_mounted(&at)? {
            true => Still::hold(&at).map(Some),
            false => Ok(None),
        }
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
    fn discard(&self, volumes: Vec<String>) -> Result<()> {
        {
            let mut count = self.count();
            for volume in &volumes {
                count.remove(volume);
                let at = self.mounts.join(volume);
                mounts::unmount(&at)?;
                // It may never have been mounted.
                let _ = fs::remove_dir(&at);
            }
        }
        self.backing.remove(volumes)
    }

    /// Removes volumes that nothing names, and what builds left among the mounts. What another opening of
    /// the pool makes meanwhile is named before it is there.
    pub(crate) fn clean(&self) -> Result<()> {
        let mut lost = self.backing.list()?;
        let named = reference::in_pool(&self.root)?;
        lost.retain(|name| reference::is_named_so(name) && !named.contains(name));
        self.discard(lost)?;
        // A crash may have left them standing still.
        for name in fsio::names(&self.mounts)? {
            disks::let_go(&self.mounts.join(name));
        }
        self.backing.clean(&|| reference::in_pool(&self.root))?;
        for name in fsio::names(&self.mounts)?.into_iter().filter(|name| !named.contains(name)) {
            let path = self.mounts.join(name);
            if !mounts::is_mounted(&path)? {
                fallback::remove_tree(&path)?;
            }
        }
        Ok(())
    }

    /// Makes a disk of what a fill wrote as a file.
    fn end_disk(&self, place: &Place, file: &Path, meta: &Meta) -> Result<()> {
        let length = fs::metadata(file).at("measure", file)?.len();
        let disk = place.disk();
        self.make_disk(&disk, length.max(meta.size.unwrap_or(0)).max(1), &meta.making)?;
        let volume = self.read(&disk)?.volume;
        copy::copy_onto_disk(file, &self.backing.device(&volume), &Control::none())?;
        fsio::remove_file(file)
    }

    fn read(&self, path: &Path) -> Result<Reference<B::Kind>> {
        Reference::read(path)
    }
}

/// What a file system has in its top folder that is none of a fill's.
fn is_fixture(name: &str) -> bool {
    name == "lost+found"
}

impl<B: Backing> Trees for Volumes<B> {
    fn can_limit(&self, _: &Layout) -> Result<bool> {
        Ok(true)
    }

    fn streams(&self) -> Option<&dyn TreeStreams> {
        self.backing.streaming().map(|_| self as &dyn TreeStreams)
    }

    fn can_share(&self, _: &Layout) -> Result<bool> {
        Ok(self.backing.shares())
    }

    fn make(&self, path: &Path, mode: u32, wanted: Wanted<'_>) -> Result<()> {
        let new = self.make_files(path, wanted)?;
        let Some(kind) = new.file_system else { return Ok(()) };
        let top = self.mount(&new, kind)?;
        fsio::ensure_dir(&top.join(path.file_name().unwrap_or_default()), mode)
    }

    fn snapshot(
        &self,
        from: &Path,
        to: &Path,
        wanted: Wanted<'_>,
        why: Purpose,
        control: &Control,
    ) -> Result<bool> {
        let source = self.read(from)?;
        let kind = source.file_system;
        let alike = why == Purpose::Keep || kind.is_none() || self.is_like(&source, wanted);
        if !alike || !self.backing.can_copy(&source.volume, kind, wanted.size)? {
            return Ok(false);
        }
        let own = wanted.making.and_then(|making| making.mount_options.clone());
        let new = Reference::new(kind).mounted_with(own);
        new.write(to)?;
        let still = || self.still(&source);
        self.backing.copy((&source.volume, kind), &new.volume, why, &still, control)?;
        Ok(true)
    }

    fn limit(&self, path: &Path, wanted: Wanted<'_>, of: &VolumeId) -> Result<()> {
        let volume = self.read(path)?;
        let Some(kind) = volume.file_system else { return Ok(()) };
        let making = self.making(wanted.making);
        let limited = self.backing.limit((&volume.volume, kind), wanted.size, &making, of)?;
        let Some(wanted) = limited else { return Ok(()) };
        self.open(path)?;
        let grown = self.backing.grow_files(
            &volume.volume,
            kind,
            wanted,
            &self.mounts.join(&volume.volume),
        );
        self.close(path)?;
        grown
    }

    /// What is mounted is mounted anew with its next use.
    fn tune(&self, path: &Path, making: &Making) -> Result<()> {
        let volume = self.read(path)?;
        match volume.file_system.is_some() && volume.mount_options != making.mount_options {
            true => volume.mounted_with(making.mount_options.clone()).replace(path),
            false => Ok(()),
        }
    }

    fn delegates(&self, path: &Path, making: &Making) -> Result<bool> {
        let kind = self.read(path)?.file_system;
        Ok(kind.is_some_and(|kind| self.backing.delegates(kind, &self.making(Some(making)))))
    }

    fn delegate(&self, path: &Path, namespace: &Path) -> Result<()> {
        self.backing.delegate(&self.read(path)?.volume, namespace)
    }

    fn scrub(&self, _: &Path, control: &Control) -> Result<Option<Scrubbed>> {
        self.backing.scrub(control)
    }

    fn place(&self, path: &Path) -> Result<PathBuf> {
        let volume = self.read(path)?;
        Ok(match volume.file_system {
            None => self.backing.device(&volume.volume),
            Some(_) => {
                let name = path.file_name().unwrap_or_default();
                self.mounts.join(&volume.volume).join(name)
            }
        })
    }

    fn open(&self, path: &Path) -> Result<PathBuf> {
        let volume = self.read(path)?;
        let mut count = self.count();
        match volume.file_system {
            Some(kind) => drop(self.mount(&volume, kind)?),
            None => drop(self.backing.activate(&volume.volume)?),
        }
        *count.entry(volume.volume).or_default() += 1;
        drop(count);
        self.place(path)
    }

    fn close(&self, path: &Path) -> Result<()> {
        let Some(volume) = Reference::<B::Kind>::find(path)? else { return Ok(()) };
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
        let volume = self.read(path)?;
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
        // What becomes a disk is a file for a while.
        let file = Making { block_mode: Some(false), ..Making::default() };
        let wanted = match meta.content {
            Content::Filesystem => meta.wanted(),
            Content::Block | Content::Iso => Wanted {
                size: meta.size.and_then(|size| self.backing.room_for_disk(size)),
                making: Some(&file),
            },
        };
        let path = place.folder.join(FILLING);
        let volume = self.make_files(&path, wanted)?;
        self.open(&path)?;
        Ok(self.mounts.join(volume.volume))
    }

    fn end_fill(&self, place: &Place, meta: &Meta) -> Result<()> {
        let filling = place.folder.join(FILLING);
        let volume = self.read(&filling)?.volume;
        let top = self.mounts.join(&volume);
        let contents = meta.contents(place);
        let name = contents.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for beside in fsio::names(&top)? {
            if beside != name && !is_fixture(&beside) {
                move_out(&top.join(&beside), &place.folder.join(&beside))?;
            }
        }
        let there = fsio::exists(&top.join(&name))?;
        if there && meta.content.is_disk() {
            self.end_disk(place, &top.join(&name), meta)?;
        }
        self.close(&filling)?;
        match (there, meta.content) {
            (true, Content::Filesystem) => fs::rename(&filling, contents).at("move", &filling),
            (true, Content::Block | Content::Iso) => {
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
        self.backing.usage(&self.root).map(Some)
    }

    fn used(&self, path: &Path, content: Content) -> Result<Option<u64>> {
        let Reference { volume, file_system, .. } = self.read(path)?;
        let kind = match file_system {
            Some(kind) if !content.is_disk() => kind,
            _ => return self.backing.used_by_disk(&volume).map(Some),
        };
        self.open(path)?;
        let used = self.backing.used_by_files(&volume, kind, &self.mounts.join(&volume));
        self.close(path)?;
        used.map(Some)
    }

    fn make_disk(&self, path: &Path, size: u64, making: &Making) -> Result<()> {
        let new = Reference::<B::Kind>::new(None);
        new.write(path)?;
        self.backing.make_disk(&new.volume, size, &self.making(Some(making)))
    }

    fn copy_disk(
        &self,
        from: &Path,
        to: &Path,
        making: &Making,
        why: Purpose,
        control: &Control,
    ) -> Result<()> {
        if self.snapshot(from, to, Wanted::default(), why, control)? {
            return Ok(());
        }
        self.make_disk(to, self.disk_size(from)?, making)?;
        copy::copy_onto_disk(&self.open(from)?, &self.place(to)?, control)
    }

    fn disk_size(&self, path: &Path) -> Result<u64> {
        self.backing.disk_size(&self.read(path)?.volume)
    }

    fn whole(&self, size: u64) -> u64 {
        self.backing.whole(size)
    }

    fn grow_disk(&self, path: &Path, size: u64) -> Result<()> {
        self.backing.grow_disk(&self.read(path)?.volume, size)
    }
}
