//! New volumes from others of the pool.
//!
//! ```text
//! image     -> instance   overlay on the image: a few small files, whatever its size
//! overlay   -> instance   a copy of its own files, on the same image
//! any other, or `plain`   a copy of all files (sharing blocks where the file system can), or of the disk
//! ```

use std::fs;
use std::path::Path;

use exec::Control;

use super::build::Build;
use super::layout::Place;
use super::lock::Lock;
use super::meta::Meta;
use super::pool::DirPool;
use super::trees::{Opened, Purpose, grow_to};
use crate::error::At;
use crate::{
    Access, Content, Error, Result, Shape, View, VolumeId, VolumeKind, copy, copy_tree, fallback,
    fsio,
};

/// What an image brings beside its root, which all that is made of it keeps.
const BESIDE: [&str; 3] = ["metadata.yaml", "templates", "boot"];
/// The folder with what a machine writes itself beside its disk: what its firmware remembers.
pub(super) const OWN: &str = "nvram";
/// The folder with the memory of a machine, which belongs to its disk as it is. Snapshots have it, copies do not.
/// Nobody writes into its files.
pub(super) const STATE: &str = "state";

/// Makes volume `to` from `source`.
pub(super) fn volume(
    pool: &DirPool,
    source: &VolumeId,
    to: &VolumeId,
    shape: &Shape,
    control: &Control,
) -> Result<()> {
    let (from, meta) = pool.find(source)?;
    if !fits(source.kind, to.kind) || meta.content != shape.content {
        return Err(Error::Unsupported { what: "make another kind from", volume: source.clone() });
    }
    let from = From { pool, id: source, place: from, meta };
    from.copy_to(to, shape, control)
}

fn fits(from: VolumeKind, to: VolumeKind) -> bool {
    from == to
        || from == VolumeKind::Image
            && matches!(to, VolumeKind::Container | VolumeKind::VirtualMachine)
}

/// What is copied: a volume or a snapshot of one.
pub(super) struct From<'a> {
    pub(super) pool: &'a DirPool,
    pub(super) id: &'a VolumeId,
    pub(super) place: Place,
    pub(super) meta: Meta,
}

impl From<'_> {
    /// Makes the volume `to` from it.
    pub(super) fn copy_to(&self, to: &VolumeId, shape: &Shape, control: &Control) -> Result<()> {
        let build = Build::start(&self.pool.layout, self.pool.trees.clone())?;
        let meta = Meta::new(to.kind, shape, self.lower(shape));
        // Instances stand on their images in any case.
        let why = if self.id.kind == VolumeKind::Image { Purpose::Use } else { Purpose::Copy };
        let written = self.write(&build.place, &meta, why, control);
        if written.is_err() && !fsio::exists(&self.place.folder)? {
            return Err(Error::NotFound { volume: self.id.clone() });
        }
        written?;
        let _lock = Lock::pool(&self.pool.layout)?;
        if let Some(lower) = &meta.lower {
            self.check_lower(to, lower)?;
        }
        self.pool.publish(to, build)
    }

    /// Writes a copy to a place nobody sees yet, and makes it durable.
    pub(super) fn write(
        &self,
        to: &Place,
        meta: &Meta,
        why: Purpose,
        control: &Control,
    ) -> Result<()> {
        match meta.content {
            Content::Block | Content::Iso => self.disk(to, meta, why, control)?,
            Content::Filesystem => self.files(to, meta, why, control)?,
        }
        self.pool.trees.settle(&meta.contents(to))?;
        for name in BESIDE {
            share(&self.place.folder.join(name), &to.folder.join(name))?;
        }
        fallback::copy_folder(&self.place.folder.join(OWN), &to.folder.join(OWN))?;
        meta.write_new(to)?;
        control.check()?;
        match self.is_cheap(meta) {
            true => fsio::sync_dir(&to.folder),
            false => fsio::sync_fs(&to.folder),
        }
    }

    fn is_cheap(&self, meta: &Meta) -> bool {
        self.id.kind == VolumeKind::Image && meta.lower.is_some()
    }

    /// The image the copy stands on.
    fn lower(&self, shape: &Shape) -> Option<&str> {
        match self.id.kind {
            _ if shape.plain || !self.pool.layers || shape.content.is_disk() => None,
            VolumeKind::Image => Some(&self.id.name),
            _ => self.meta.lower.as_deref(),
        }
    }

    fn disk(&self, to: &Place, meta: &Meta, why: Purpose, control: &Control) -> Result<()> {
        let (trees, target) = (&*self.pool.trees, to.disk());
        if let (VolumeKind::Image, Some(size)) = (self.id.kind, meta.size) {
            let has = trees.disk_size(&self.place.disk())?;
            if has > trees.whole(size) {
                return Err(Error::Shrink { volume: self.id.clone(), from: has, to: size });
            }
        }
        trees.copy_disk(&self.place.disk(), &target, &meta.making, why, control)?;
        meta.size.map_or(Ok(()), |size| grow_to(trees, &target, size))
    }

    fn files(&self, to: &Place, meta: &Meta, why: Purpose, control: &Control) -> Result<()> {
        let (trees, source, target) =
            (&*self.pool.trees, self.meta.contents(&self.place), meta.contents(to));
        if trees.snapshot(&source, &target, meta.wanted(), why, control)? {
            // Nobody writes to what is kept.
            return match why {
                Purpose::Use | Purpose::Copy => self.pool.limit(to, meta, self.id),
                Purpose::Keep => Ok(()),
            };
        }
        trees.make(&target, 0o700, meta.wanted())?;
        if meta.lower.is_some() {
            fsio::ensure_dir(&to.work(), 0o700)?;
            trees.join(&to.work(), &target)?;
        }
        if why != Purpose::Keep {
            self.pool.limit(to, meta, self.id)?;
        }
        if self.is_cheap(meta) {
            return copy::copy_folder_attributes(&self.place.rootfs(), &target);
        }
        if meta.lower.is_some() {
            return copy_tree(&self.place.upper(), &target, control).map(drop);
        }
        let _open = Opened::new(trees, &source)?;
        let all = View::open(&self.pool.attached(self.id, &self.place, &self.meta)?, Access::Read)?;
        let target = Opened::new(trees, &target)?;
        copy_tree(&all.path(), &target.at, control).map(drop)
    }

    fn check_lower(&self, to: &VolumeId, lower: &str) -> Result<()> {
        let image = VolumeId { kind: VolumeKind::Image, name: lower.to_owned() };
        match fsio::exists(&self.pool.layout.volume(&image).rootfs())? {
            true => Ok(()),
            false => Err(Error::LowerMissing { volume: to.clone(), lower: lower.to_owned() }),
        }
    }
}

/// Gives the copy the same small files by hard links; whoever changes one replaces it.
pub(super) fn share(from: &Path, to: &Path) -> Result<()> {
    if !fsio::exists(from)? {
        return Ok(());
    }
    if !fs::symlink_metadata(from).at("look at", from)?.is_dir() {
        return fs::hard_link(from, to).at("link", from);
    }
    fsio::ensure_dir(to, 0o700)?;
    for name in fsio::names(from)? {
        share(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}
