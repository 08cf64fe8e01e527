//! A volume that is made and that nobody sees yet: its image has a name of this member's, until one rename gives it the
//! volume's. One that fails or is dropped is removed; one whose daemon died, by this member's next open.

use std::path::Path;

use exec::Control;
use exec::mkfs::{self, FileSystem};
use exec::rbd::Point;
use uuid::Uuid;

use super::disks::{Files, Writer};
use super::images::Published;
use super::member::Lock;
use super::names;
use super::note::Note;
use super::pool::{CephPool, whole};
use crate::dir::move_out;
use crate::error::At;
use crate::{Error, Fill, Result, VolumeId, VolumeKind, copy, fsio};

/// Bytes that the files beside a disk may have: among them the memory of a machine. Room is taken as it is used.
const BESIDE_SIZE: u64 = 16 << 30;
/// What a fill writes a disk into.
const DISK: &str = "root.img";

pub(super) struct Build<'a> {
    pool: &'a CephPool,
    pub(super) uuid: Uuid,
    pub(super) image: String,
    published: bool,
    lock: Lock,
}

impl<'a> Build<'a> {
    pub(super) fn start(pool: &'a CephPool) -> Result<Build<'a>> {
        let uuid = Uuid::new_v4();
        let lock = pool.member.begin(uuid)?;
        let image = names::making(pool.member.id, uuid);
        Ok(Build { pool, uuid, image, published: false, lock })
    }

    /// Writes the contents of a new volume.
    pub(super) fn fill(
        &self,
        note: &Note,
        id: &VolumeId,
        fill: Option<Fill<'_>>,
        control: &Control,
    ) -> Result<()> {
        match note.content.is_disk() {
            true => self.disk(note, id, fill, control),
            false => self.files(note, id, fill, control),
        }
    }

    fn files(
        &self,
        note: &Note,
        id: &VolumeId,
        fill: Option<Fill<'_>>,
        control: &Control,
    ) -> Result<()> {
        let size = whole(note.size.unwrap_or(self.pool.usual_size()));
        self.pool.images.create(&self.image, size)?;
        self.pool.images.set(&self.image, note)?;
        self.with_files(&self.image, note.files, |top| {
            let contents = top.join(note.folder());
            match fill {
                Some(fill) if !id.kind.is_bare() => run(fill, top, id, control)?,
                Some(fill) => {
                    fsio::ensure_dir(&contents, 0o711)?;
                    run(fill, &contents, id, control)?;
                }
                None if id.kind.is_bare() => fsio::ensure_dir(&contents, 0o711)?,
                None => fsio::ensure_dir(&contents, 0o755)?,
            }
            match fsio::exists(&contents)? {
                true => Ok(()),
                false => Err(Error::NotFilled { volume: id.clone() }),
            }
        })
    }

    fn disk(
        &self,
        note: &Note,
        id: &VolumeId,
        fill: Option<Fill<'_>>,
        control: &Control,
    ) -> Result<()> {
        let folder = self.lock.folder()?;
        let file = folder.join(DISK);
        let is_filled = fill.is_some();
        if let Some(fill) = fill {
            run(fill, folder, id, control)?;
            if !fsio::exists(&file)? {
                return Err(Error::NotFilled { volume: id.clone() });
            }
        } else if note.size.is_none() {
            return Err(Error::Unsupported { what: "make without a size", volume: id.clone() });
        }
        let length = match is_filled {
            true => std::fs::metadata(&file).at("measure", &file)?.len(),
            false => 0,
        };
        self.pool.images.create(&self.image, whole(length.max(note.size.unwrap_or(0))))?;
        self.pool.images.set(&self.image, note)?;
        if is_filled {
            let point = Point::now(&self.image);
            let device = self.pool.disks.map(point, self.uuid, false)?;
            copy::copy_onto_disk(&file, &device, control)?;
            self.pool.disks.release(point)?;
            fsio::remove_file(&file)?;
        }
        match note.has_beside() {
            true => self.beside(folder),
            false => Ok(()),
        }
    }

    /// Makes what is beside a disk, with all that is in a folder.
    fn beside(&self, folder: &Path) -> Result<()> {
        let image = names::beside(self.uuid);
        self.pool.images.create(&image, BESIDE_SIZE)?;
        self.with_files(&image, FileSystem::Ext4, |top| {
            fsio::names(folder)?.iter().try_for_each(|it| move_out(&folder.join(it), &top.join(it)))
        })
    }

    /// Makes a file system on an image, lets somebody write into it, and makes that durable.
    fn with_files(
        &self,
        image: &str,
        kind: FileSystem,
        write: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<()> {
        let point = Point::now(image);
        let device = self.pool.disks.map(point, self.uuid, false)?;
        mkfs::make(&device, kind, mkfs::Files::Any)
            .map_err(|source| Error::Format { path: device, source: Box::new(source) })?;
        self.open(image, kind, |top, _| write(top))
    }

    /// Lets somebody change files that are there, and makes that durable.
    pub(super) fn open(
        &self,
        image: &str,
        kind: FileSystem,
        write: impl FnOnce(&Path, &Path) -> Result<()>,
    ) -> Result<()> {
        let (point, options) = (Point::now(image), None);
        let files = Files { point, uuid: self.uuid, kind, options };
        let top = self.pool.disks.mount(files, Writer::Us)?;
        let device = crate::mounts::device(&top)?;
        write(&top, &device)?;
        fsio::sync_fs(&top)?;
        self.pool.disks.release(point)
    }

    /// Gives it its name. The caller made it whole.
    pub(super) fn publish(mut self, note: &Note, to: &VolumeId) -> Result<()> {
        if to.kind == VolumeKind::Image {
            self.pool.images.keep_readonly(&self.image)?;
            if note.has_beside() {
                self.pool.images.keep_readonly(&names::beside(self.uuid))?;
            }
        }
        self.published = self.pool.images.publish(&self.image, to)? == Published::Yes;
        Ok(())
    }
}

impl Drop for Build<'_> {
    fn drop(&mut self) {
        if self.published {
            return;
        }
        // What stays is removed by the next open.
        let beside = names::beside(self.uuid);
        let _ = self.pool.disks.release(Point::now(&self.image));
        let _ = self.pool.disks.release(Point::now(&beside));
        let _ = self.pool.images.discard(&self.image);
    }
}

fn run(fill: Fill<'_>, into: &Path, id: &VolumeId, control: &Control) -> Result<()> {
    fill(into).or_else(|source| {
        control.check()?;
        Err(Error::Fill { volume: id.clone(), source })
    })
}
