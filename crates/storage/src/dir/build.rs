//! A volume being built in `tmp/`: filled, synced, then renamed to where it is seen.
//!
//! A build that fails or is dropped removes its folder. One whose process died is removed by the next
//! open, which knows it by its free lock.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use exec::Control;

use super::layout::{Layout, Place};
use super::lock::Lock;
use super::meta::Meta;
use super::trash;
use super::trees::Trees;
use crate::error::At;
use crate::fsio::{self, Moved};
use crate::{Content, Error, Fill, Result, VolumeId};

/// A folder in `tmp/` that its builder holds locked.
#[derive(Debug)]
pub(super) struct Build {
    pub(super) place: Place,
    _lock: Option<Lock>,
}

impl Build {
    pub(super) fn start(layout: &Layout) -> Result<Build> {
        let _pool = Lock::pool(layout)?;
        let folder = layout.tmp().join(fsio::unique());
        fsio::ensure_dir(&folder, 0o711)?;
        let lock = Lock::folder(&folder)?;
        Ok(Build { place: Place { folder }, _lock: lock })
    }

    /// Gives the volume its name. The caller holds the pool's lock and synced the files.
    pub(super) fn publish(self, to: &Path) -> Result<Moved> {
        let moved = fsio::move_new(&self.place.folder, to)?;
        if moved == Moved::Yes
            && let Some(parent) = to.parent()
        {
            fsio::sync_dir(parent)?;
        }
        Ok(moved)
    }
}

impl Drop for Build {
    fn drop(&mut self) {
        trash::remove_now(&self.place.folder);
    }
}

/// Removes what builds left that did not come to their end.
pub(super) fn clean(layout: &Layout) -> Result<()> {
    let _pool = Lock::pool(layout)?;
    for name in fsio::names(&layout.tmp())? {
        let path = layout.tmp().join(name);
        let is_dir = std::fs::symlink_metadata(&path).is_ok_and(|m| m.is_dir());
        if !is_dir || Lock::folder(&path)?.is_some() {
            trash::remove_now(&path);
        }
    }
    Ok(())
}

/// Names a fill may not use: they are this driver's.
const RESERVED: [&str; 5] = ["volume.json", "deleted", "snapshots", "upper", "work"];

/// Writes the contents of a new volume.
pub(super) fn fill(
    trees: Trees,
    place: &Place,
    meta: &Meta,
    id: &VolumeId,
    fill: Option<Fill>,
    control: &Control,
) -> Result<()> {
    if meta.content == Content::Filesystem && id.kind.is_bare() {
        trees.make(&place.data(), 0o711)?;
    }
    match fill {
        Some(fill) => run(trees, fill, place, meta, id, control)?,
        None if meta.content == Content::Filesystem => {
            if !id.kind.is_bare() {
                trees.make(&meta.contents(place), 0o755)?;
            }
        }
        None => new_disk(place, meta.size, id)?,
    }
    if !fsio::exists(&meta.contents(place))? {
        return Err(Error::NotFilled { volume: id.clone() });
    }
    Ok(())
}

fn run(
    trees: Trees,
    fill: Fill,
    place: &Place,
    meta: &Meta,
    id: &VolumeId,
    control: &Control,
) -> Result<()> {
    let into = match (id.kind.is_bare(), meta.content) {
        (true, Content::Filesystem) => place.data(),
        (_, Content::Filesystem) => trees.begin_fill(place)?,
        _ => place.folder.clone(),
    };
    if let Err(source) = fill(&into) {
        control.check()?;
        return Err(Error::Fill { volume: id.clone(), source });
    }
    for name in RESERVED {
        if !id.kind.is_bare() && fsio::exists(&into.join(name))? {
            return Err(Error::Reserved { volume: id.clone(), name });
        }
    }
    if !id.kind.is_bare() && meta.content == Content::Filesystem {
        trees.end_fill(place)?;
    }
    match (meta.content, meta.size) {
        (Content::Block, Some(size)) => grow_to(place, size),
        _ => Ok(()),
    }
}

/// Makes an empty disk.
fn new_disk(place: &Place, size: Option<u64>, id: &VolumeId) -> Result<()> {
    let Some(size) = size else {
        return Err(Error::Unsupported { what: "make without a size", volume: id.clone() });
    };
    let path = place.disk();
    let open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    open.at("create", &path)?.set_len(size).at("resize", &path)
}

/// A disk from an image gets the size that was asked for, when that is more.
pub(super) fn grow_to(place: &Place, size: u64) -> Result<()> {
    let path = place.disk();
    let disk = OpenOptions::new().write(true).open(&path).at("open", &path)?;
    if disk.metadata().at("measure", &path)?.len() < size {
        disk.set_len(size).at("resize", &path)?;
    }
    Ok(())
}
