//! Snapshots of volumes: those of their image; and whole images that were made somewhere else and adopted.
//!
//! A restore is noted with the volume until it is done, as an image is neither what it was nor what it is to be
//! meanwhile: whoever opens the volume next ends what was broken off.

use std::ops::Range;
use std::path::PathBuf;

use exec::Control;
use exec::rbd::Point;

use super::names;
use super::pool::CephPool;
use super::uses::Source;
use crate::volume::check_name;
use crate::{Attached, Error, Result, Snapshots, VolumeId, VolumeKind, copy};

impl Snapshots for CephPool {
    fn take(&self, of: &VolumeId, name: &str, control: &Control) -> Result<()> {
        check_name(name)?;
        control.check()?;
        let found = self.settled(of)?;
        if of.kind == VolumeKind::Image {
            return Err(Error::Unsupported { what: "take a snapshot of", volume: of.clone() });
        }
        if self.snapshot_of(&found, name)?.is_some() {
            return Err(exists(of, name));
        }
        let taken = match found.beside() {
            None => {
                let snap = Some((names::snapshot(name), String::new()));
                CephPool::take(self, &Source { snap, ..found })?
            }
            Some((beside, _)) => self.take_both(&found, &beside, name)?,
        };
        match taken {
            true => Ok(()),
            false => Err(exists(of, name)),
        }
    }

    fn list(&self, of: &VolumeId) -> Result<Vec<String>> {
        let found = self.find(of)?;
        let snaps = self.images.snaps(&found.image)?;
        let mut all: Vec<String> = snaps.iter().filter_map(|it| names::given(&it.name)).collect();
        let images = self.images.names()?.unwrap_or_default();
        all.extend(images.iter().filter_map(|it| names::adopted_by(it, found.note.uuid)));
        all.sort();
        Ok(all)
    }

    fn restore(&self, of: &VolumeId, name: &str, control: &Control) -> Result<()> {
        control.check()?;
        let mut found = self.settled(of)?;
        let kept = self.snapshot(&found, of, name)?;
        self.release(&found)?;
        match kept.snap.as_ref() {
            Some((snap, _)) => {
                found.note.restoring = Some(snap.clone());
                self.images.set(&found.image, &found.note)?;
                self.end_restore(&mut found)
            }
            None => self.restore_adopted(found, &kept, control),
        }
    }

    fn copy(&self, of: &VolumeId, name: &str, to: &VolumeId, control: &Control) -> Result<()> {
        control.check()?;
        to.check()?;
        if of.kind != to.kind {
            return Err(Error::Unsupported { what: "make another kind from", volume: of.clone() });
        }
        if self.already_there(to)? {
            return Ok(());
        }
        let kept = readable(self.snapshot(&self.find(of)?, of, name)?);
        let shape = kept.note.shape();
        self.copy_to(&kept, to, &shape, control)
    }

    fn delete(&self, of: &VolumeId, name: &str) -> Result<()> {
        of.check()?;
        check_name(name)?;
        let found = match self.find(of) {
            Err(Error::NotFound { .. }) => return Ok(()),
            found => found?,
        };
        let Some(kept) = self.snapshot_of(&found, name)? else { return Ok(()) };
        match self.release(&kept) {
            // Who still reads it goes on.
            Err(Error::Busy { .. }) => {}
            done => done?,
        }
        match kept.snap {
            Some(_) => self.forget(&kept),
            None => self.images.discard(&kept.image),
        }
    }

    fn rename(&self, of: &VolumeId, name: &str, to: &str) -> Result<()> {
        check_name(to)?;
        let found = self.find(of)?;
        let kept = self.snapshot(&found, of, name)?;
        if self.snapshot_of(&found, to)?.is_some() {
            return Err(exists(of, to));
        }
        self.release(&kept)?;
        let renamed = match kept.snap {
            Some(_) => self.images.rename_snap(kept.point(), &names::snapshot(to))?,
            None => self.images.rename(&kept.image, &names::adopted(found.note.uuid, to))?,
        };
        match renamed {
            true => Ok(()),
            false => Err(exists(of, to)),
        }
    }

    fn adopt(&self, volume: &VolumeId, of: &VolumeId, name: &str) -> Result<()> {
        check_name(name)?;
        if volume.kind != of.kind || volume.kind == VolumeKind::Image {
            let what = "keep as a snapshot of another kind";
            return Err(Error::Unsupported { what, volume: volume.clone() });
        }
        let (side, found) = (self.settled(volume)?, self.find(of)?);
        if self.snapshot_of(&found, name)?.is_some() {
            return Err(exists(of, name));
        }
        self.release(&side)?;
        // What it is copied from, so that nobody writes to what is kept.
        self.images.keep_readonly(&side.image)?;
        if let Some((beside, _)) = side.beside() {
            self.images.keep_readonly(&beside)?;
        }
        match self.images.rename(&side.image, &names::adopted(found.note.uuid, name))? {
            true => Ok(()),
            false => Err(exists(of, name)),
        }
    }

    fn folder(&self, of: &VolumeId, name: &str) -> Result<PathBuf> {
        Ok(self.folder_of(&readable(self.snapshot(&self.find(of)?, of, name)?)))
    }

    fn attach(&self, of: &VolumeId, name: &str) -> Result<Attached> {
        self.attach_at(&readable(self.snapshot(&self.find(of)?, of, name)?))
    }

    fn detach(&self, of: &VolumeId, name: &str) -> Result<()> {
        check_name(name)?;
        let found = match self.find(of) {
            Err(Error::NotFound { .. }) => return Ok(()),
            found => found?,
        };
        match self.snapshot_of(&found, name)? {
            Some(kept) => self.detach_at(&readable(kept)),
            None => Ok(()),
        }
    }
}

/// A whole image is only ever read as it was when it was adopted.
fn readable(kept: Source) -> Source {
    let readonly = || (names::READONLY.to_owned(), names::READONLY.to_owned());
    Source { snap: kept.snap.or_else(|| Some(readonly())), ..kept }
}

fn exists(of: &VolumeId, name: &str) -> Error {
    Error::SnapshotExists { volume: of.clone(), snapshot: name.to_owned() }
}

impl CephPool {
    /// A snapshot of a volume that is there.
    fn snapshot(&self, of: &Source, id: &VolumeId, name: &str) -> Result<Source> {
        check_name(name)?;
        self.snapshot_of(of, name)?.ok_or_else(|| Error::SnapshotNotFound {
            volume: id.clone(),
            snapshot: name.to_owned(),
        })
    }

    fn snapshot_of(&self, of: &Source, name: &str) -> Result<Option<Source>> {
        let wanted = names::snapshot(name);
        if let Some(snap) = self.images.snaps(&of.image)?.into_iter().find(|it| it.name == wanted) {
            let beside = names::snap_beside(&snap.name, snap.id);
            let mut note = of.note.clone();
            note.size = note.size.map(|_| snap.size);
            return Ok(Some(Source { snap: Some((snap.name, beside)), note, ..of.clone() }));
        }
        let image = names::adopted(of.note.uuid, name);
        let note = self.images.find(&image)?;
        Ok(note.map(|note| Source { image, snap: None, note }))
    }

    /// Takes a snapshot of a disk and of what is beside it: that is there before the first has its name.
    fn take_both(&self, of: &Source, beside: &str, name: &str) -> Result<bool> {
        let taking = names::fresh("taking");
        let taken = Source { snap: Some((taking.clone(), taking.clone())), ..of.clone() };
        CephPool::take(self, &taken)?;
        let all = self.images.snaps(&of.image)?;
        let wanted = names::snapshot(name);
        let own =
            all.iter().find(|it| it.name == taking).map(|it| names::snap_beside(&wanted, it.id));
        let named = match own {
            Some(own) => self.images.rename_snap(Point::snap(beside, &taking), &own),
            None => Ok(false),
        };
        let named = named.and_then(|_| self.images.rename_snap(taken.point(), &wanted));
        if !matches!(named, Ok(true)) {
            self.forget(&taken)?;
        }
        named
    }

    /// Ends a restore that was begun, if any was.
    pub(super) fn end_restore(&self, of: &mut Source) -> Result<()> {
        let Some(name) = of.note.restoring.clone() else { return Ok(()) };
        self.release(of)?;
        let snaps = self.images.snaps(&of.image)?;
        if let Some(snap) = snaps.into_iter().find(|it| it.name == name) {
            if let Some((beside, _)) = of.beside() {
                let name = names::snap_beside(&snap.name, snap.id);
                self.images.roll_back(Point::snap(&beside, &name))?;
            }
            self.images.roll_back(Point::snap(&of.image, &snap.name))?;
            of.note.size = of.note.size.map(|_| snap.size);
        }
        of.note.restoring = None;
        self.images.set(&of.image, &of.note)
    }

    /// Writes what differs. Broken off, the volume goes back to what it was.
    fn restore_adopted(&self, mut of: Source, kept: &Source, control: &Control) -> Result<()> {
        let undo = names::fresh("undo");
        let before = Source { snap: Some((undo.clone(), undo.clone())), ..of.clone() };
        CephPool::take(self, &before)?;
        of.note.restoring = Some(undo);
        self.images.set(&of.image, &of.note)?;
        let mut written = self.write_over(&kept.image, &of.image, &of, control);
        if let (Ok(()), Some((from, _)), Some((to, _))) = (&written, kept.beside(), of.beside()) {
            written = self.write_over(&from, &to, &of, control);
        }
        match written {
            Ok(()) => {
                of.note.restoring = None;
                of.note.size = kept.note.size;
                self.images.set(&of.image, &of.note)?;
            }
            Err(_) => self.end_restore(&mut of)?,
        }
        self.forget(&before)?;
        written
    }

    fn write_over(&self, from: &str, to: &str, of: &Source, control: &Control) -> Result<()> {
        let size = self.images.info(from)?.size;
        self.images.resize(to, size)?;
        let (from, to) = (Point::snap(from, names::READONLY), Point::now(to));
        // What neither has reads as zeros in both.
        let mut parts = self.images.parts(from)?;
        parts.extend(self.images.parts(to)?);
        let parts = merged(parts, size);
        let source = self.disks.map(from, of.note.uuid, false)?;
        let written = self
            .disks
            .map(to, of.note.uuid, false)
            .and_then(|target| copy::sync_parts((&source, &target), &parts, control));
        self.disks.release(to)?;
        self.disks.release(from)?;
        written
    }
}

/// Parts in order, none of them twice, and none beyond an end.
fn merged(mut parts: Vec<Range<u64>>, end: u64) -> Vec<Range<u64>> {
    parts.sort_by_key(|part| part.start);
    let mut all: Vec<Range<u64>> = Vec::new();
    for part in parts {
        let part = part.start..part.end.min(end);
        match all.last_mut() {
            Some(last) if part.start <= last.end => last.end = last.end.max(part.end),
            _ if part.start < part.end => all.push(part),
            _ => {}
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_two_images_become_one_list() {
        let parts = vec![8..12, 0..4, 2..6, 12..16, 20..30, 40..50];
        assert_eq!(merged(parts, 25), [0..6, 8..16, 20..25]);
    }
}
