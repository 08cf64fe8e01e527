//! The verbs of an open `dir` pool.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use exec::Control;
use uuid::Uuid;

use super::build::{self, Build};
use super::layout::{Layout, Place};
use super::lock::Lock;
use super::meta::Meta;
use super::trash::Trash;
use super::trees::{Trees, grow_to};
use super::{clone, delete, layers};
use crate::error::At;
use crate::fsio::{self, Moved};
use crate::{
    Attached, Clones, Content, DriverInfo, Error, Fill, Making, Pool, PoolInfo, Result, Scrubbed,
    Shape, Snapshots, Streams, Usage, VolumeId, VolumeInfo, VolumeKind,
};

/// An open pool.
pub(crate) struct DirPool {
    pub(super) layout: Layout,
    pub(super) driver: &'static DriverInfo,
    id: Option<Uuid>,
    pub(super) trees: Arc<dyn Trees>,
    pub(super) trash: Trash,
    reflink: bool,
    quotas: bool,
    pub(super) layers: bool,
}

impl DirPool {
    pub(super) fn open(
        layout: Layout,
        driver: &'static DriverInfo,
        id: Option<Uuid>,
        trees: Arc<dyn Trees>,
    ) -> Result<DirPool> {
        build::clean(&layout, &*trees)?;
        let trash = Trash::new(&layout, trees.clone());
        trash.empty()?;
        delete::sweep(&layout, &trash)?;
        let reflink = trees.can_share(&layout)?;
        let layers = trees.can_layer() && layers::work(&layout)?;
        let quotas = trees.can_limit(&layout)?;
        Ok(DirPool { layout, driver, id, trees, trash, reflink, quotas, layers })
    }

    /// The place of a volume that is there, with its metadata.
    pub(super) fn find(&self, id: &VolumeId) -> Result<(Place, Meta)> {
        id.check()?;
        let place = self.layout.volume(id);
        if id.kind == VolumeKind::Image && fsio::exists(&place.deleted())? {
            return Err(Error::NotFound { volume: id.clone() });
        }
        let meta = Meta::read(&place, id)?;
        Ok((place, meta))
    }

    /// Makes a built volume visible.
    pub(super) fn publish(&self, id: &VolumeId, build: Build) -> Result<()> {
        let place = self.layout.volume(id);
        match build.publish(&place.folder)? {
            Moved::TargetExists if id.kind == VolumeKind::Image => {
                fsio::remove_file(&place.deleted())
            }
            Moved::TargetExists => Err(Error::Exists { volume: id.clone() }),
            _ => Ok(()),
        }
    }

    /// Refuses early what `publish` would refuse after all the work; true when nothing is to be done.
    fn already_there(&self, id: &VolumeId) -> Result<bool> {
        id.check()?;
        let place = self.layout.volume(id);
        if !fsio::exists(&place.folder)? {
            return Ok(false);
        }
        if id.kind != VolumeKind::Image {
            return Err(Error::Exists { volume: id.clone() });
        }
        let _lock = Lock::pool(&self.layout)?;
        fsio::remove_file(&place.deleted())?;
        fsio::exists(&place.folder)
    }
}

impl Pool for DirPool {
    fn info(&self) -> PoolInfo {
        PoolInfo { quotas: self.quotas, reflink: self.reflink, layers: self.layers }
    }

    fn check(&self) -> Result<()> {
        super::check(&self.layout, self.driver, self.id)
    }

    fn keep(&self, record: &[u8]) -> Result<()> {
        fsio::replace(&self.layout.record(), record)
    }

    fn kept(&self) -> Result<Option<Vec<u8>>> {
        fsio::read(&self.layout.record())
    }

    fn usage(&self) -> Result<Usage> {
        if let Some(usage) = self.trees.usage()? {
            return Ok(usage);
        }
        let s = rustix::fs::statvfs(&self.layout.root).at("measure", &self.layout.root)?;
        Ok(Usage {
            total: s.f_blocks * s.f_frsize,
            used: (s.f_blocks - s.f_bfree) * s.f_frsize,
            inodes_total: s.f_files,
            inodes_used: s.f_files.saturating_sub(s.f_ffree),
        })
    }

    fn scrub(&self, control: &Control) -> Result<Option<Scrubbed>> {
        self.trees.scrub(&self.layout.root, control)
    }

    fn list(&self) -> Result<Vec<VolumeId>> {
        list(&self.layout)
    }

    fn describe(&self, id: &VolumeId) -> Result<VolumeInfo> {
        let (_, meta) = self.find(id)?;
        let created = UNIX_EPOCH + Duration::from_secs(meta.created);
        Ok(VolumeInfo { content: meta.content, size: meta.size, image: meta.lower, created })
    }

    fn exists(&self, id: &VolumeId) -> Result<bool> {
        match self.find(id) {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(e) => Err(e),
        }
    }

    fn create(
        &self,
        id: &VolumeId,
        shape: &Shape,
        fill: Option<Fill>,
        control: &Control,
    ) -> Result<()> {
        if self.already_there(id)? {
            return Ok(());
        }
        let build = Build::start(&self.layout, self.trees.clone())?;
        let meta = Meta::new(id.kind, shape, None);
        build::fill(&*self.trees, &build.place, &meta, id, fill, control)?;
        self.limit(&build.place, &meta, id)?;
        self.trees.settle(&meta.contents(&build.place))?;
        meta.write_new(&build.place)?;
        fsio::sync_fs(&build.place.folder)?;
        control.check()?;
        let _lock = Lock::pool(&self.layout)?;
        self.publish(id, build)
    }

    fn delete(&self, id: &VolumeId) -> Result<()> {
        id.check()?;
        delete::volume(self, id)
    }

    fn rename(&self, id: &VolumeId, to: &VolumeId) -> Result<()> {
        to.check()?;
        if id.kind == VolumeKind::Image || id.kind != to.kind {
            return Err(Error::Unsupported { what: "rename", volume: id.clone() });
        }
        let (from, _) = self.find(id)?;
        let target = self.layout.volume(to).folder;
        let _lock = Lock::pool(&self.layout)?;
        match fsio::move_new(&from.folder, &target)? {
            Moved::Yes => fsio::sync_dir(&self.layout.kind(to.kind)),
            Moved::TargetExists => Err(Error::Exists { volume: to.clone() }),
            Moved::NoSource => Err(Error::NotFound { volume: id.clone() }),
        }
    }

    fn resize(&self, id: &VolumeId, size: Option<u64>) -> Result<()> {
        let (place, mut meta) = self.find(id)?;
        if meta.content == Content::Iso {
            return Err(Error::Unsupported { what: "resize", volume: id.clone() });
        }
        if meta.content == Content::Block {
            let Some(size) = size else {
                return Err(Error::Unsupported { what: "lift the size of", volume: id.clone() });
            };
            self.grow(&place, id, size)?;
        }
        meta.size = size;
        self.limit(&place, &meta, id)?;
        meta.replace(&place)
    }

    fn tune(&self, id: &VolumeId, making: &Making) -> Result<()> {
        let (place, mut meta) = self.find(id)?;
        meta.making = making.clone();
        self.trees.tune(&meta.contents(&place), making)?;
        self.limit(&place, &meta, id)?;
        meta.replace(&place)
    }

    fn attach(&self, id: &VolumeId) -> Result<Attached> {
        let (place, meta) = self.find(id)?;
        self.attach_at(id, &place, &meta)
    }

    fn detach(&self, id: &VolumeId) -> Result<()> {
        match self.find(id) {
            Ok((place, meta)) => self.trees.close(&meta.contents(&place)),
            Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn delegates(&self, id: &VolumeId) -> Result<bool> {
        let (place, meta) = self.find(id)?;
        match meta.content {
            Content::Filesystem => self.trees.delegates(&meta.contents(&place), &meta.making),
            Content::Block | Content::Iso => Ok(false),
        }
    }

    fn delegate(&self, id: &VolumeId, namespace: &Path) -> Result<()> {
        let (place, meta) = self.find(id)?;
        self.trees.delegate(&meta.contents(&place), namespace)
    }

    fn folder(&self, id: &VolumeId) -> Result<PathBuf> {
        Ok(self.find(id)?.0.folder)
    }

    fn volume_usage(&self, id: &VolumeId) -> Result<Option<u64>> {
        let (place, meta) = self.find(id)?;
        self.trees.used(&meta.contents(&place), meta.content)
    }

    fn snapshots(&self) -> Option<&dyn Snapshots> {
        Some(self)
    }

    fn clones(&self) -> Option<&dyn Clones> {
        Some(self)
    }

    fn streams(&self) -> Option<&dyn Streams> {
        self.trees.streams().is_some().then_some(self)
    }
}

impl Clones for DirPool {
    fn clone_from(
        &self,
        source: &VolumeId,
        to: &VolumeId,
        shape: &Shape,
        control: &Control,
    ) -> Result<()> {
        if self.already_there(to)? {
            return Ok(());
        }
        clone::volume(self, source, to, shape, control)
    }
}

impl DirPool {
    /// Limits the files of a volume to its size, where the pool can.
    pub(super) fn limit(&self, place: &Place, meta: &Meta, of: &VolumeId) -> Result<()> {
        match meta.content {
            Content::Filesystem if self.quotas => {
                self.trees.limit(&meta.contents(place), meta.wanted(), of)
            }
            _ => Ok(()),
        }
    }

    /// Makes a disk larger.
    fn grow(&self, place: &Place, id: &VolumeId, to: u64) -> Result<()> {
        let from = self.trees.disk_size(&place.disk())?;
        match self.trees.whole(to) < from {
            true => Err(Error::Shrink { volume: id.clone(), from, to }),
            false => grow_to(&*self.trees, &place.disk(), to),
        }
    }

    /// Makes the volume or snapshot at `place` usable.
    pub(super) fn attach_at(&self, id: &VolumeId, place: &Place, meta: &Meta) -> Result<Attached> {
        self.trees.open(&meta.contents(place))?;
        self.attached(id, place, meta)
    }

    /// How the volume or snapshot at `place`, which is open, is used.
    pub(super) fn attached(&self, id: &VolumeId, place: &Place, meta: &Meta) -> Result<Attached> {
        let Some(lower) = &meta.lower else {
            let path = self.trees.place(&meta.contents(place))?;
            return Ok(match meta.content {
                Content::Filesystem => Attached::Path(path),
                Content::Block | Content::Iso => Attached::Block(path),
            });
        };
        let image = VolumeId::new(VolumeKind::Image, lower.as_str())?;
        let rootfs = self.layout.volume(&image).rootfs();
        if !fsio::exists(&rootfs)? {
            return Err(Error::LowerMissing { volume: id.clone(), lower: lower.clone() });
        }
        Ok(Attached::Overlay { lower: vec![rootfs], upper: place.upper(), work: place.work() })
    }
}

/// The volumes in a pool's folder.
pub(super) fn list(layout: &Layout) -> Result<Vec<VolumeId>> {
    let mut found = Vec::new();
    for kind in VolumeKind::ALL {
        for name in fsio::names(&layout.kind(kind))? {
            let Ok(id) = VolumeId::new(kind, name) else { continue };
            let place = layout.volume(&id);
            if fsio::exists(&place.meta())? && !fsio::exists(&place.deleted())? {
                found.push(id);
            }
        }
    }
    Ok(found)
}
