//! New volumes from others of the pool.
//!
//! ```text
//! image            -> a clone of its snapshot `readonly`
//! snapshot         -> a clone of that
//! anything else    -> a clone of a snapshot that lives as long as its clone; with `ceph.rbd.clone_copy=false` a copy
//! another file system, or a smaller size than it has -> its files, one by one
//! ```

use exec::Control;
use exec::mkfs::FileSystem;
use exec::rbd::Point;

use super::build::Build;
use super::images::Share;
use super::names;
use super::note::Note;
use super::pool::{CephPool, whole};
use super::uses::Source;
use crate::{Clones, Error, Pool, Result, Shape, VolumeId, VolumeKind, fallback};

/// The folder with the memory of a machine, which belongs to its disk as it is: copies do not have it.
const STATE: &str = "state";

impl Clones for CephPool {
    fn clone_from(
        &self,
        source: &VolumeId,
        to: &VolumeId,
        shape: &Shape,
        control: &Control,
    ) -> Result<()> {
        control.check()?;
        if self.already_there(to)? {
            return Ok(());
        }
        let from = self.settled(source)?;
        if !fits(source.kind, to.kind) || from.note.content != shape.content {
            return Err(Error::Unsupported {
                what: "make another kind from",
                volume: source.clone(),
            });
        }
        match self.copy_to(&from, to, shape, control) {
            Err(Error::Cancelled(cancelled)) => Err(Error::Cancelled(cancelled)),
            // It was deleted meanwhile.
            Err(_) if !self.exists(source)? => Err(Error::NotFound { volume: source.clone() }),
            done => done,
        }
    }
}

fn fits(from: VolumeKind, to: VolumeKind) -> bool {
    let instance = matches!(to, VolumeKind::Container | VolumeKind::VirtualMachine);
    from == to || from == VolumeKind::Image && instance
}

impl CephPool {
    pub(super) fn copy_to(
        &self,
        from: &Source,
        to: &VolumeId,
        shape: &Shape,
        control: &Control,
    ) -> Result<()> {
        let build = Build::start(self)?;
        let files = match shape.making.file_system {
            Some(_) => self.kind(&shape.making),
            None => from.note.files,
        };
        let note = Note::new(build.uuid, to.kind, shape, files);
        let now = self.size_of(from)?;
        let smaller = shape.size.is_some_and(|size| whole(size) < now);
        match shape.content.is_disk() {
            true if smaller && from.note.kind == VolumeKind::Image => {
                let (volume, to) = (to.clone(), shape.size.unwrap_or(0));
                return Err(Error::Shrink { volume, from: now, to });
            }
            false if smaller || files != from.note.files => {
                self.copy_files(&build, from, (to, &note), control)?;
            }
            _ => self.copy_images(&build, from, &note, control)?,
        }
        control.check()?;
        build.publish(&note, to)
    }

    fn size_of(&self, from: &Source) -> Result<u64> {
        if let Some((snap, _)) = &from.snap
            && let Some(found) = self.images.snaps(&from.image)?.iter().find(|it| it.name == *snap)
        {
            return Ok(found.size);
        }
        Ok(self.images.info(&from.image)?.size)
    }

    fn copy_files(
        &self,
        build: &Build<'_>,
        from: &Source,
        (to, note): (&VolumeId, &Note),
        control: &Control,
    ) -> Result<()> {
        let attached = self.attach_at(from)?;
        let folder = self.folder_of(from);
        let mut fill = |into: &std::path::Path| -> Result<(), crate::FillError> {
            fallback::fill_from(&attached, &folder, into, to, control).map_err(Into::into)
        };
        let written = build.fill(note, to, Some(&mut fill), control);
        self.detach_at(from)?;
        written
    }

    fn copy_images(
        &self,
        build: &Build<'_>,
        from: &Source,
        note: &Note,
        control: &Control,
    ) -> Result<()> {
        // Instances stand on their images in any case.
        let share = match self.options.ceph.full_copies && from.note.kind != VolumeKind::Image {
            true => Share::Nothing,
            false => Share::All,
        };
        if from.snap.is_some() {
            self.copy_points(build, from, (note, share), control)?;
        } else {
            let held = self.hold(from)?;
            let copied = self.copy_points(build, &held, (note, share), control);
            if copied.is_err() || share == Share::Nothing {
                self.forget(&held)?;
            }
            copied?;
        }
        self.adapt(build, from, note)
    }

    /// Takes a snapshot that lives as long as its clones.
    fn hold(&self, of: &Source) -> Result<Source> {
        let snap = names::fresh("zombie");
        let held = Source { snap: Some((snap.clone(), snap)), ..of.clone() };
        self.take(&held)?;
        Ok(held)
    }

    /// Takes a snapshot of an image and of what is beside it, while their files stand still.
    pub(super) fn take(&self, of: &Source) -> Result<bool> {
        let beside = of.beside();
        let image = beside.as_ref().map_or(&of.image, |(image, _)| image);
        let _still = self.disks.still(image)?;
        if let Some((image, snap)) = &beside {
            self.images.take(Point { image, snap: *snap })?;
        }
        self.images.take(of.point())
    }

    /// Removes a snapshot of an image and of what is beside it.
    pub(super) fn forget(&self, snap: &Source) -> Result<()> {
        if let Some(name) = snap.point().snap {
            self.images.remove_snap(&snap.image, name)?;
        }
        match snap.beside() {
            Some((image, Some(name))) => self.images.remove_snap(&image, name),
            _ => Ok(()),
        }
    }

    fn copy_points(
        &self,
        build: &Build<'_>,
        from: &Source,
        (note, share): (&Note, Share),
        control: &Control,
    ) -> Result<()> {
        self.images.copy(from.point(), &build.image, share, control)?;
        self.images.set(&build.image, note)?;
        match from.beside() {
            Some((image, snap)) => {
                let to = names::beside(build.uuid);
                self.images.copy(Point { image: &image, snap }, &to, share, control)
            }
            None => Ok(()),
        }
    }

    /// Gives a copy the size that it is to have, and takes away what is not its own.
    fn adapt(&self, build: &Build<'_>, from: &Source, note: &Note) -> Result<()> {
        let now = self.images.info(&build.image)?.size;
        let is_disk = note.content.is_disk();
        let usual = if is_disk { 0 } else { self.usual_size() };
        let wanted = whole(note.size.unwrap_or(usual));
        if wanted > now {
            self.images.resize(&build.image, wanted)?;
        }
        if wanted > now && !is_disk {
            build.open(&build.image, note.files, |top, device| {
                self.grow_files(device, top, note.files, wanted)
            })?;
        }
        if note.has_beside() && from.note.kind != VolumeKind::Image {
            build.open(&names::beside(build.uuid), FileSystem::Ext4, |top, _| {
                fallback::remove_tree(&top.join(STATE))
            })?;
        }
        Ok(())
    }
}
