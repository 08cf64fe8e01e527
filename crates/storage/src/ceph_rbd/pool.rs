//! The verbs of an open pool.

use std::path::PathBuf;
use std::sync::Arc;

use exec::Control;
use exec::mkfs::FileSystem;
use exec::rbd::Point;
use uuid::Uuid;

use super::build::Build;
use super::disks::Disks;
use super::images::Images;
use super::member::Member;
use super::note::Note;
use super::uses::Source;
use super::{RECORD, names, source};
use crate::{
    Attached, Clones, Content, Error, Fill, Making, Pool, PoolInfo, PoolOptions, PoolSpec, Result,
    Shape, Snapshots, Usage, VolumeId, VolumeInfo, VolumeKind, volumes,
};

/// Bytes of a volume are a multiple of this.
const SECTOR: u64 = 4096;

/// The size of an image for so many bytes.
pub(super) fn whole(size: u64) -> u64 {
    size.div_ceil(SECTOR).max(1) * SECTOR
}

/// An open pool.
pub(super) struct CephPool {
    id: Option<Uuid>,
    path: PathBuf,
    pub(super) options: PoolOptions,
    pub(super) images: Arc<Images>,
    pub(super) member: Arc<Member>,
    pub(super) disks: Disks,
}

impl CephPool {
    pub(super) fn open(spec: &PoolSpec, images: Images) -> Result<CephPool> {
        let (images, member) = (Arc::new(images), Arc::new(Member::of(&spec.path)?));
        let disks = Disks::new(images.clone(), member.clone());
        let (id, path, options) = (spec.id, spec.path.clone(), spec.options.clone());
        let pool = CephPool { id, path, options, images, member, disks };
        pool.clean()?;
        Ok(pool)
    }

    /// Removes what a crash of this member left, and what everybody is done with. What others make at this moment
    /// has their names.
    fn clean(&self) -> Result<()> {
        let left = |image: &str| match names::made_by(image, self.member.id) {
            Some(uuid) => self.member.is_left(uuid),
            None => Ok(false),
        };
        for name in crate::fsio::names(&self.member.mounts())? {
            let at = self.member.mounts().join(name);
            // A crash may have left them standing still; and a folder where nothing is mounted any more.
            volumes::disks::let_go(&at);
            let _ = std::fs::remove_dir(&at);
        }
        let idle = |image: &str| names::volume(image).is_some() || left(image).unwrap_or(false);
        self.disks.let_go_of_idle(idle)?;
        for image in self.images.names()?.unwrap_or_default() {
            if left(&image)? {
                self.disks.release(Point::now(&image))?;
            }
            if left(&image)? || names::is_zombie(&image) {
                self.images.discard(&image)?;
            }
        }
        self.member.clean()
    }

    pub(super) fn usual_size(&self) -> u64 {
        self.options.volume_size.unwrap_or(volumes::disks::USUAL)
    }

    /// What files of such a volume lie in.
    pub(super) fn kind(&self, making: &Making) -> FileSystem {
        making.or(&self.options.making).file_system.unwrap_or_default()
    }

    pub(super) fn find(&self, id: &VolumeId) -> Result<Source> {
        id.check()?;
        let image = names::of(id);
        let note = self.images.find(&image)?;
        let note = note.ok_or_else(|| Error::NotFound { volume: id.clone() })?;
        // Nobody writes to an image.
        let readonly = || (names::READONLY.to_owned(), names::READONLY.to_owned());
        let snap = (id.kind == VolumeKind::Image).then(readonly);
        Ok(Source { image, snap, note })
    }

    /// The same, once a restore that was broken off is done.
    pub(super) fn settled(&self, id: &VolumeId) -> Result<Source> {
        let mut found = self.find(id)?;
        self.end_restore(&mut found)?;
        Ok(found)
    }

    /// Whether there is nothing to be made.
    pub(super) fn already_there(&self, id: &VolumeId) -> Result<bool> {
        match (self.exists(id)?, id.kind) {
            (false, _) => Ok(false),
            (true, VolumeKind::Image) => Ok(true),
            (true, _) => Err(Error::Exists { volume: id.clone() }),
        }
    }
}

impl Pool for CephPool {
    fn info(&self) -> PoolInfo {
        PoolInfo { quotas: true, reflink: !self.options.ceph.full_copies, layers: false }
    }

    fn check(&self) -> Result<()> {
        source::check(&self.images, self.id, &self.path)
    }

    fn keep(&self, record: &[u8]) -> Result<()> {
        let rbd = &self.images.rbd;
        rbd.cluster.put(&rbd.name, RECORD, record).map_err(self.images.failed("write", RECORD))
    }

    fn kept(&self) -> Result<Option<Vec<u8>>> {
        let rbd = &self.images.rbd;
        rbd.cluster.get(&rbd.name, RECORD).map_err(self.images.failed("read", RECORD))
    }

    fn usage(&self) -> Result<Usage> {
        let rbd = &self.images.rbd;
        let room = rbd.cluster.room(&rbd.name).map_err(self.images.failed("measure", ""))?;
        let room = room.ok_or_else(|| Error::NoPool { path: self.path.clone() })?;
        Ok(Usage { total: room.total, used: room.used, inodes_total: 0, inodes_used: 0 })
    }

    fn list(&self) -> Result<Vec<VolumeId>> {
        let names = self.images.names()?.unwrap_or_default();
        let mut found: Vec<_> = names.iter().filter_map(|image| names::volume(image)).collect();
        found.sort();
        Ok(found)
    }

    fn describe(&self, id: &VolumeId) -> Result<VolumeInfo> {
        Ok(self.find(id)?.note.info())
    }

    fn exists(&self, id: &VolumeId) -> Result<bool> {
        id.check()?;
        Ok(self.images.find(&names::of(id))?.is_some())
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
        let build = Build::start(self)?;
        let note = Note::new(build.uuid, id.kind, shape, self.kind(&shape.making));
        build.fill(&note, id, fill, control)?;
        control.check()?;
        build.publish(&note, id)
    }

    fn delete(&self, id: &VolumeId) -> Result<()> {
        let found = match self.find(id) {
            Err(Error::NotFound { .. }) => return Ok(()),
            found => found?,
        };
        match self.release(&found) {
            // Somebody still has it: it goes with the next open after that.
            Err(Error::Busy { .. }) => {}
            done => done?,
        }
        let zombie = names::zombie(&found.image);
        match self.images.rename(&found.image, &zombie) {
            // Another member was faster.
            Err(_) if !self.exists(id)? => Ok(()),
            done => done.and_then(|_| self.images.discard(&zombie)),
        }
    }

    fn rename(&self, id: &VolumeId, to: &VolumeId) -> Result<()> {
        to.check()?;
        id.check()?;
        if id.kind == VolumeKind::Image || id.kind != to.kind {
            return Err(Error::Unsupported { what: "rename", volume: id.clone() });
        }
        let found = self.find(id)?;
        // What is mapped keeps the name that it was mapped by.
        self.release(&found)?;
        match self.images.rename(&found.image, &names::of(to))? {
            true => Ok(()),
            false => Err(Error::Exists { volume: to.clone() }),
        }
    }

    fn resize(&self, id: &VolumeId, size: Option<u64>) -> Result<()> {
        let mut found = self.settled(id)?;
        if id.kind == VolumeKind::Image || found.note.content == Content::Iso {
            return Err(Error::Unsupported { what: "resize", volume: id.clone() });
        }
        let wanted = match (size, found.note.content) {
            (Some(size), _) => size,
            (None, Content::Filesystem) => self.usual_size(),
            (None, _) => {
                return Err(Error::Unsupported { what: "lift the size of", volume: id.clone() });
            }
        };
        let now = self.images.info(&found.image)?.size;
        if whole(wanted) < now && size.is_some() {
            return Err(Error::Shrink { volume: id.clone(), from: now, to: wanted });
        }
        if whole(wanted) > now {
            self.grow(&found, whole(wanted))?;
        }
        found.note.size = size;
        self.images.set(&found.image, &found.note)
    }

    /// What is mounted is mounted anew with its next use.
    fn tune(&self, id: &VolumeId, making: &Making) -> Result<()> {
        let mut found = self.find(id)?;
        found.note.making = making.clone();
        self.images.set(&found.image, &found.note)
    }

    fn attach(&self, id: &VolumeId) -> Result<Attached> {
        self.attach_at(&self.settled(id)?)
    }

    fn detach(&self, id: &VolumeId) -> Result<()> {
        match self.find(id) {
            Ok(found) => self.detach_at(&found),
            Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn take_over(&self, id: &VolumeId) -> Result<PathBuf> {
        self.take_over_at(id, &self.find(id)?)
    }

    fn shut_out(&self, id: &VolumeId) -> Result<()> {
        let found = self.find(id)?;
        // Not what is mapped here.
        self.release(&found)?;
        for image in std::iter::once(found.image.clone()).chain(found.beside().map(|it| it.0)) {
            let rbd = &self.images.rbd;
            let writer = rbd.writer(&image).map_err(self.images.failed("look at", &image))?;
            if let Some(by) = writer {
                rbd.cluster.shut_out(&by).map_err(self.images.failed("take over", &image))?;
            }
        }
        Ok(())
    }

    fn folder(&self, id: &VolumeId) -> Result<PathBuf> {
        Ok(self.folder_of(&self.find(id)?))
    }

    /// Of files that are mounted: what they take. Of others, and of disks: what is stored of them alone.
    fn volume_usage(&self, id: &VolumeId) -> Result<Option<u64>> {
        let found = self.find(id)?;
        let top = self.disks.mount_of(found.point());
        if !found.note.content.is_disk() && crate::mounts::is_mounted(&top)? {
            return volumes::disks::used(&top).map(Some);
        }
        match self.options.ceph.no_du {
            true => Ok(None),
            false => self.images.rbd.used(&found.image).map_err(self.images.failed("measure", "")),
        }
    }

    fn snapshots(&self) -> Option<&dyn Snapshots> {
        Some(self)
    }

    fn clones(&self) -> Option<&dyn Clones> {
        Some(self)
    }
}
