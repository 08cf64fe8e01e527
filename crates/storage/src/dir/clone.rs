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

use super::build::{self, Build};
use super::layout::Place;
use super::lock::Lock;
use super::meta::Meta;
use super::pool::DirPool;
use crate::error::At;
use crate::{
    Access, Content, Error, Result, Shape, View, VolumeId, VolumeKind, copy, copy_tree, fsio,
};

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
        let build = Build::start(&self.pool.layout)?;
        let meta = Meta::new(to.kind, shape, self.lower(shape));
        let written = self.write(&build.place, &meta, control);
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
    pub(super) fn write(&self, to: &Place, meta: &Meta, control: &Control) -> Result<()> {
        self.contents(to, meta, control)?;
        share(&self.place.folder.join("metadata.yaml"), &to.folder.join("metadata.yaml"))?;
        share(&self.place.folder.join("templates"), &to.folder.join("templates"))?;
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
            _ if shape.plain || !self.pool.layers || shape.content == Content::Block => None,
            VolumeKind::Image => Some(&self.id.name),
            _ => self.meta.lower.as_deref(),
        }
    }

    fn contents(&self, to: &Place, meta: &Meta, control: &Control) -> Result<()> {
        let target = meta.contents(to);
        if meta.content == Content::Block {
            copy::copy_file(&self.place.disk(), &target, control)?;
            return meta.size.map_or(Ok(()), |size| build::grow_to(to, size));
        }
        if self.pool.trees.snapshot(&self.meta.contents(&self.place), &target)? {
            return self.pool.limit(to, meta);
        }
        self.pool.trees.make(&target, 0o700)?;
        if meta.lower.is_some() {
            fsio::ensure_dir(&to.work(), 0o700)?;
        }
        if self.is_cheap(meta) {
            return copy::copy_folder_attributes(&self.place.rootfs(), &target);
        }
        if meta.lower.is_some() {
            return copy_tree(&self.place.upper(), &target, control).map(drop);
        }
        let all = View::open(&self.pool.attached(self.id, &self.place, &self.meta)?, Access::Read)?;
        copy_tree(&all.path(), &target, control).map(drop)
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
fn share(from: &Path, to: &Path) -> Result<()> {
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
