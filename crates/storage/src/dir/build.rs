//! A volume being built in `tmp/`: filled, synced, then renamed to where it is seen.
//!
//! A build that fails or is dropped removes its folder. One whose process died is removed by the next
//! open, which knows it by its free lock.

use std::path::Path;
use std::sync::Arc;

use exec::Control;

use super::layout::{Layout, Place};
use super::lock::Lock;
use super::meta::Meta;
use super::trash;
use super::trees::{Opened, Trees, grow_to};
use crate::fsio::{self, Moved};
use crate::{Content, Error, Fill, Result, VolumeId};

/// A folder in `tmp/` that its builder holds locked.
pub(crate) struct Build {
    pub(crate) place: Place,
    trees: Arc<dyn Trees>,
    _lock: Option<Lock>,
}

impl Build {
    pub(crate) fn start(layout: &Layout, trees: Arc<dyn Trees>) -> Result<Build> {
        let _pool = Lock::pool(layout)?;
        let folder = layout.tmp().join(fsio::unique());
        fsio::ensure_dir(&folder, 0o711)?;
        let lock = Lock::folder(&folder)?;
        Ok(Build { place: Place { folder }, trees, _lock: lock })
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
        trash::remove_now(&*self.trees, &self.place.folder);
    }
}

/// Removes what builds left that did not come to their end.
pub(super) fn clean(layout: &Layout, trees: &dyn Trees) -> Result<()> {
    let _pool = Lock::pool(layout)?;
    for name in fsio::names(&layout.tmp())? {
        let path = layout.tmp().join(name);
        let is_dir = std::fs::symlink_metadata(&path).is_ok_and(|m| m.is_dir());
        if !is_dir || Lock::folder(&path)?.is_some() {
            trash::remove_now(trees, &path);
        }
    }
    Ok(())
}

/// Names a fill may not use: they are this driver's.
const RESERVED: [&str; 5] = ["volume.json", "deleted", "snapshots", "upper", "work"];

/// Writes the contents of a new volume.
pub(super) fn fill(
    trees: &dyn Trees,
    place: &Place,
    meta: &Meta,
    id: &VolumeId,
    fill: Option<Fill>,
    control: &Control,
) -> Result<()> {
    let contents = meta.contents(place);
    if meta.content == Content::Filesystem && id.kind.is_bare() {
        trees.make(&contents, 0o711, meta.wanted())?;
    }
    match fill {
        Some(fill) if meta.content == Content::Filesystem && id.kind.is_bare() => {
            let opened = Opened::new(trees, &contents)?;
            run(fill, &opened.at, id, control)?;
        }
        Some(fill) => {
            let into = trees.begin_fill(place, meta)?;
            run(fill, &into, id, control)?;
            refuse_reserved(&into, id)?;
            trees.end_fill(place, meta)?;
        }
        None if meta.content.is_disk() => new_disk(trees, &contents, meta, id)?,
        None if id.kind.is_bare() => {}
        None => trees.make(&contents, 0o755, meta.wanted())?,
    }
    if !fsio::exists(&contents)? {
        return Err(Error::NotFilled { volume: id.clone() });
    }
    match (meta.content, meta.size) {
        (Content::Block, Some(size)) => grow_to(trees, &contents, size),
        _ => Ok(()),
    }
}

fn run(fill: Fill, into: &Path, id: &VolumeId, control: &Control) -> Result<()> {
    fill(into).or_else(|source| {
        control.check()?;
        Err(Error::Fill { volume: id.clone(), source })
    })
}

fn refuse_reserved(into: &Path, id: &VolumeId) -> Result<()> {
    for name in RESERVED {
        if !id.kind.is_bare() && fsio::exists(&into.join(name))? {
            return Err(Error::Reserved { volume: id.clone(), name });
        }
    }
    Ok(())
}

/// Makes an empty disk.
fn new_disk(trees: &dyn Trees, path: &Path, meta: &Meta, id: &VolumeId) -> Result<()> {
    match meta.size {
        Some(size) => trees.make_disk(path, size, &meta.making),
        None => Err(Error::Unsupported { what: "make without a size", volume: id.clone() }),
    }
}
