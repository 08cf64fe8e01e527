//! A volume, or a snapshot of one, in use on this member.

use std::path::{Path, PathBuf};

use exec::mkfs::{self, FileSystem};
use exec::rbd::Point;

use super::disks::{self, Files, Writer};
use super::names;
use super::note::Note;
use super::pool::CephPool;
use crate::{Attached, Error, Result, VolumeId};

/// A volume, or a snapshot of one.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) image: String,
    /// Its snapshot, and that of what is beside it.
    pub(super) snap: Option<(String, String)>,
    pub(super) note: Note,
}

impl Source {
    pub(super) fn point(&self) -> Point<'_> {
        Point { image: &self.image, snap: self.snap.as_ref().map(|(snap, _)| snap.as_str()) }
    }

    /// What is beside it, if anything.
    pub(super) fn beside(&self) -> Option<(String, Option<&str>)> {
        let snap = self.snap.as_ref().map(|(_, snap)| snap.as_str());
        self.note.has_beside().then(|| (names::beside(self.note.uuid), snap))
    }
}

impl CephPool {
    pub(super) fn attach_at(&self, of: &Source) -> Result<Attached> {
        let count = self.disks.count(of.point());
        let mut count = disks::lock(&count);
        let (point, uuid) = (of.point(), of.note.uuid);
        let attached = if of.note.content.is_disk() {
            let device = self.disks.map(point, uuid, *count > 0)?;
            if let Some((image, snap)) = of.beside() {
                let point = Point { image: &image, snap };
                let kind = FileSystem::Ext4;
                self.disks.mount(Files { point, uuid, kind, options: None }, Writer::Unknown)?;
            }
            Attached::Block(device)
        } else {
            let own = of.note.making.mount_options.as_deref();
            let options = own.or(self.options.making.mount_options.as_deref());
            let files = Files { point, uuid, kind: of.note.files, options };
            let top = self.disks.mount(files, Writer::Unknown)?;
            Attached::Path(top.join(of.note.folder()))
        };
        *count += 1;
        Ok(attached)
    }

    /// Maps a disk, and nothing that lies beside it. What was read of it here before is no longer so.
    pub(super) fn take_over_at(&self, id: &VolumeId, of: &Source) -> Result<PathBuf> {
        if !of.note.content.is_disk() {
            return Err(Error::Unsupported { what: "take over", volume: id.clone() });
        }
        let count = self.disks.count(of.point());
        let mut count = disks::lock(&count);
        let device = self.disks.map_anew(of.point(), of.note.uuid)?;
        if of.beside().is_none() {
            *count += 1;
        }
        Ok(device)
    }

    pub(super) fn detach_at(&self, of: &Source) -> Result<()> {
        let last = self.disks.close(of.point())?;
        match of.beside() {
            Some((image, snap)) if last => self.disks.release(Point { image: &image, snap }),
            _ => Ok(()),
        }
    }

    /// Ends every use of a volume on this member.
    pub(super) fn release(&self, of: &Source) -> Result<()> {
        if let Some((image, snap)) = of.beside() {
            self.disks.release(Point { image: &image, snap })?;
        }
        self.disks.release(of.point())
    }

    pub(super) fn folder_of(&self, of: &Source) -> PathBuf {
        match of.beside() {
            Some((image, snap)) => self.disks.mount_of(Point { image: &image, snap }),
            None => self.disks.mount_of(of.point()),
        }
    }

    /// Makes an image larger, and the files on it, which are used meanwhile.
    pub(super) fn grow(&self, of: &Source, size: u64) -> Result<()> {
        if of.note.content.is_disk() {
            return self.images.resize(&of.image, size);
        }
        self.attach_at(of)?;
        let grown = self.images.resize(&of.image, size).and_then(|()| {
            let top = self.disks.mount_of(of.point());
            let device = crate::mounts::device(&top)?;
            self.grow_files(&device, &top, of.note.files, size)
        });
        self.detach_at(of)?;
        grown
    }

    /// Lets files have the room of their disk, which has grown.
    pub(super) fn grow_files(
        &self,
        device: &Path,
        top: &Path,
        kind: FileSystem,
        size: u64,
    ) -> Result<()> {
        self.disks.until_grown(device, size)?;
        mkfs::grow(device, top, kind).map_err(self.images.failed("make larger what is in", ""))
    }
}
