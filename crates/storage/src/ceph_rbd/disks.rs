//! Images as disks of this machine, and the files on them: mapped, mounted, counted, let go of.
//!
//! ```text
//! attach ─> map ─> alone? ─> mount        one image, one member: a file system that two have mounted is lost
//! detach ─> (the last) unmount ─> unmap, again and again for a moment while something still has it
//! ```
//! `rbd showmapped` says what is mapped, also by an earlier run of the daemon; which image that is, and not one of the
//! same name that is gone, is noted in `disks/`.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use exec::mkfs::FileSystem;
use exec::rbd::{self, Done, Point};
use uuid::Uuid;

use super::images::Images;
use super::member::Member;
use crate::error::At;
use crate::volumes::disks::{self, Access, Still};
use crate::{Error, Result, disk_size, fsio, mounts};

/// How long something may still have a disk that is let go of: namespaces of instances that start or end.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(100);
/// How long a member that died is seen with an image: OSDs forget a client after 30 s (`osd_client_watch_timeout`).
const FORGOTTEN: Duration = Duration::from_secs(45);
/// How long the kernel takes to see that an image has grown.
const GROWTH: Duration = Duration::from_secs(30);

/// Those of a pool on this member.
pub(super) struct Disks {
    pub(super) images: Arc<Images>,
    pub(super) member: Arc<Member>,
    /// How often each is attached.
    open: Mutex<HashMap<String, Arc<Mutex<usize>>>>,
}

/// The files of an image or a snapshot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Files<'a> {
    pub(super) point: Point<'a>,
    /// The identity of the volume.
    pub(super) uuid: Uuid,
    pub(super) kind: FileSystem,
    pub(super) options: Option<&'a str>,
}

/// Who may write to an image that is to be mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writer {
    /// This member alone: nobody else knows of it.
    Us,
    /// Anybody.
    Unknown,
}

impl Disks {
    pub(super) fn new(images: Arc<Images>, member: Arc<Member>) -> Disks {
        Disks { images, member, open: Mutex::default() }
    }

    /// Where the files of an image or a snapshot are mounted.
    pub(super) fn mount_of(&self, point: Point<'_>) -> PathBuf {
        self.member.mounts().join(key(point))
    }

    /// How often one is attached. Held while that changes.
    pub(super) fn count(&self, point: Point<'_>) -> Arc<Mutex<usize>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.entry(key(point)).or_default().clone()
    }

    /// The disk that an image is, mapped unless it is. `again`: whether it is in use, and a snapshot that is mapped is
    /// this one. What nobody uses is mapped anew: another member may have written to it since.
    pub(super) fn map(&self, point: Point<'_>, uuid: Uuid, again: bool) -> Result<PathBuf> {
        if (again || point.snap.is_none())
            && let Some(device) = self.mapped(point)?.into_iter().find(|it| self.is_of(it, uuid))
            && (again || !self.unmap_idle(&device)?)
        {
            return Ok(device);
        }
        self.map_now(point, uuid)
    }

    /// Maps an image that nobody may have in use here.
    pub(super) fn map_anew(&self, point: Point<'_>, uuid: Uuid) -> Result<PathBuf> {
        self.mapped(point)?.iter().try_for_each(|device| self.unmap(device))?;
        self.map_now(point, uuid)
    }

    fn map_now(&self, point: Point<'_>, uuid: Uuid) -> Result<PathBuf> {
        let failed = self.images.failed("map", point.image);
        let device = self.images.rbd.map(point).map_err(failed)?;
        fsio::replace(&self.member.disk(&device), uuid.to_string().as_bytes())?;
        Ok(device)
    }

    /// The disks that are mapped under that name.
    fn mapped(&self, point: Point<'_>) -> Result<Vec<PathBuf>> {
        let all = rbd::mapped().map_err(self.images.failed("look at what is mapped of", ""))?;
        let snap = point.snap.unwrap_or("-");
        let is = |it: &rbd::Mapped| {
            it.pool == self.images.rbd.name && it.name == point.image && it.snap == snap
        };
        Ok(all.into_iter().filter(is).map(|it| it.device).collect())
    }

    fn is_of(&self, device: &Path, uuid: Uuid) -> bool {
        let noted = fsio::read(&self.member.disk(device)).ok().flatten();
        noted.and_then(|text| Uuid::try_parse_ascii(&text).ok()) == Some(uuid)
    }

    /// Mounts files, unless they are mounted.
    pub(super) fn mount(&self, files: Files<'_>, writer: Writer) -> Result<PathBuf> {
        let (point, at) = (files.point, self.mount_of(files.point));
        if mounts::is_mounted(&at)? {
            return Ok(at);
        }
        let access = match point.snap {
            Some(_) => Access::Read,
            None => Access::Write,
        };
        let mut writer = writer;
        if access == Access::Write && writer == Writer::Unknown {
            // What an earlier use left: its lock would look like another member's.
            for device in self.mapped(point)? {
                let ours = self.is_of(&device, files.uuid);
                if !self.unmap_idle(&device)? && ours {
                    writer = Writer::Us;
                }
            }
        }
        let device = self.map(point, files.uuid, writer == Writer::Us)?;
        let done = match (access, writer) {
            (Access::Write, Writer::Unknown) => self.alone(point.image),
            _ => Ok(()),
        };
        let done = done.and_then(|()| {
            fsio::ensure_dir(&at, 0o700)?;
            disks::mount(&device, files.kind, files.options, &at, access)
        });
        if done.is_err() {
            // The first error is the one that matters. A folder that stayed would be taken for the files.
            let _ = self.unmap(&device);
            let _ = fs::remove_dir(&at);
        }
        done.map(|()| at)
    }

    /// Fails where somebody writes to an image that this member has just mapped. One that died is waited for; when it
    /// is written to here, Ceph lets the dead one write no more, should it come back.
    fn alone(&self, image: &str) -> Result<()> {
        let end = Instant::now() + FORGOTTEN;
        loop {
            let failed = self.images.failed("look at who uses", image);
            let Some(by) = self.images.rbd.writer(image).map_err(failed)? else { return Ok(()) };
            if Instant::now() > end {
                let what = format!("{}/{image}", self.images.rbd.name);
                return Err(Error::Elsewhere { what, by });
            }
            sleep(PAUSE * 5);
        }
    }

    /// Ends a mount and the mapping beneath it. None is Ok; one that is in use is an error.
    pub(super) fn unmount(&self, at: &Path) -> Result<()> {
        if !mounts::is_mounted(at)? {
            return Ok(());
        }
        let device = mounts::device(at)?;
        patiently(|| {
            mounts::unmount_idle(at)?;
            Ok(!mounts::is_mounted(at)?)
        })?
        .then_some(())
        .ok_or_else(|| Error::Busy { path: at.to_owned() })?;
        let _ = fs::remove_dir(at);
        self.unmap(&device)
    }

    fn unmap(&self, device: &Path) -> Result<()> {
        match patiently(|| self.unmap_idle(device))? {
            true => Ok(()),
            false => Err(Error::Busy { path: device.to_owned() }),
        }
    }

    /// Ends one use of an image or a snapshot; with the last its mount and its mapping go, and it is told.
    pub(super) fn close(&self, point: Point<'_>) -> Result<bool> {
        let count = self.count(point);
        let mut count = lock(&count);
        *count = count.saturating_sub(1);
        match *count {
            0 => self.let_go(point).map(|()| true),
            _ => Ok(false),
        }
    }

    /// Ends every use.
    pub(super) fn release(&self, point: Point<'_>) -> Result<()> {
        let count = self.count(point);
        let mut count = lock(&count);
        *count = 0;
        self.let_go(point)?;
        // This one and that in the table: nobody waits for it.
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|name, count| *name != key(point) || Arc::strong_count(count) > 2);
        Ok(())
    }

    fn let_go(&self, point: Point<'_>) -> Result<()> {
        self.unmount(&self.mount_of(point))?;
        self.mapped(point)?.iter().try_for_each(|device| self.unmap(device))
    }

    /// Lets go of what nobody uses, of those images.
    pub(super) fn let_go_of_idle(&self, which: impl Fn(&str) -> bool) -> Result<()> {
        let all = rbd::mapped().map_err(self.images.failed("look at what is mapped of", ""))?;
        for it in all.into_iter().filter(|it| it.pool == self.images.rbd.name && which(&it.name)) {
            // What is mounted, or a machine has as its disk, is busy and stays.
            self.unmap_idle(&it.device)?;
        }
        Ok(())
    }

    /// Ends a mapping; false where somebody uses it.
    fn unmap_idle(&self, device: &Path) -> Result<bool> {
        match rbd::unmap(device).map_err(self.images.failed("unmap", ""))? {
            Done::Busy => Ok(false),
            _ => fsio::remove_file(&self.member.disk(device)).map(|()| true),
        }
    }

    /// Keeps files still that are mounted here.
    pub(super) fn still(&self, image: &str) -> Result<Option<Still>> {
        let point = Point::now(image);
        let count = self.count(point);
        // Nobody mounts or unmounts it meanwhile.
        let _count = lock(&count);
        let at = self.mount_of(point);
        match mounts::is_mounted(&at)? {
            true => Still::hold(&at).map(Some),
            false => Ok(None),
        }
    }

    /// Waits until a disk of this machine has so many bytes, as its image has.
    pub(super) fn until_grown(&self, device: &Path, size: u64) -> Result<()> {
        let end = Instant::now() + GROWTH;
        while disk_size(device)? < size {
            if Instant::now() > end {
                return Err(std::io::Error::from(std::io::ErrorKind::TimedOut))
                    .at("wait for the new size of", device);
            }
            sleep(PAUSE / 5);
        }
        Ok(())
    }
}

/// What an image or a snapshot is counted and mounted as.
fn key(point: Point<'_>) -> String {
    match point.snap {
        Some(snap) => format!("{}@{snap}", point.image),
        None => point.image.to_owned(),
    }
}

pub(super) fn lock(count: &Mutex<usize>) -> MutexGuard<'_, usize> {
    count.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tries for a moment.
fn patiently(mut done: impl FnMut() -> Result<bool>) -> Result<bool> {
    let end = Instant::now() + PATIENCE;
    while !done()? {
        if Instant::now() > end {
            return Ok(false);
        }
        sleep(PAUSE);
    }
    Ok(true)
}
