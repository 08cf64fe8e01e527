//! Snapshots: a copy of the volume's own files in its folder. For an overlay that is what the
//! instance changed, not the image. They are renamed and deleted with the volume.

use std::path::PathBuf;

use exec::Control;

use super::build::Build;
use super::clone::{From, OWN, STATE, share};
use super::layout::Place;
use super::lock::Lock;
use super::meta::Meta;
use super::pool::DirPool;
use super::trees::Purpose;
use crate::error::At;
use crate::fsio::{self, Moved};
use crate::volume::check_name;
use crate::{Attached, Content, Error, Result, Snapshots, VolumeId, VolumeKind, fallback};

impl Snapshots for DirPool {
    fn take(&self, of: &VolumeId, name: &str, control: &Control) -> Result<()> {
        check_name(name)?;
        let (place, meta) = self.find(of)?;
        if of.kind == VolumeKind::Image {
            return Err(Error::Unsupported { what: "take a snapshot of", volume: of.clone() });
        }
        let exists = || Error::SnapshotExists { volume: of.clone(), snapshot: name.to_owned() };
        if fsio::exists(&place.snapshot(name).folder)? {
            return Err(exists());
        }
        let build = Build::start(&self.layout, self.trees.clone())?;
        let kept = renewed(&meta);
        let from = From { pool: self, id: of, place: place.clone(), meta };
        from.write(&build.place, &kept, Purpose::Keep, control)?;
        share(&place.folder.join(STATE), &build.place.folder.join(STATE))?;
        fsio::sync_dir(&build.place.folder)?;
        let _lock = Lock::pool(&self.layout)?;
        self.find(of)?;
        if !fsio::exists(&place.snapshots())? {
            fsio::ensure_dir(&place.snapshots(), 0o700)?;
            fsio::sync_dir(&place.folder)?;
        }
        match build.publish(&place.snapshot(name).folder)? {
            Moved::TargetExists => Err(exists()),
            _ => Ok(()),
        }
    }

    fn list(&self, of: &VolumeId) -> Result<Vec<String>> {
        let (place, _) = self.find(of)?;
        let mut names = fsio::names(&place.snapshots())?;
        names.retain(|name| place.snapshot(name).meta().exists());
        Ok(names)
    }

    fn restore(&self, of: &VolumeId, name: &str, control: &Control) -> Result<()> {
        let (now, meta) = self.find(of)?;
        let (place, kept) = self.snapshot(of, name)?;
        if kept.lower != meta.lower || kept.content != meta.content {
            return Err(Error::Unsupported {
                what: "restore another image's files to",
                volume: of.clone(),
            });
        }
        let build = Build::start(&self.layout, self.trees.clone())?;
        let old = renewed(&kept);
        // Memory belongs to what the disk was.
        fallback::remove_tree(&now.folder.join(STATE))?;
        fsio::sync_dir(&now.folder)?;
        let from = From { pool: self, id: of, place, meta: kept };
        from.write(&build.place, &old, Purpose::Use, control)?;
        share(&from.place.folder.join(STATE), &build.place.folder.join(STATE))?;
        let _lock = Lock::pool(&self.layout)?;
        let had = fsio::exists(&build.place.folder.join(OWN))?;
        put_back(&build.place, &now, &old)?;
        match had {
            true => Ok(()),
            false => fallback::remove_tree(&now.folder.join(OWN)),
        }
    }

    fn copy(&self, of: &VolumeId, name: &str, to: &VolumeId, control: &Control) -> Result<()> {
        to.check()?;
        let (place, meta) = self.snapshot(of, name)?;
        if of.kind != to.kind {
            return Err(Error::Unsupported { what: "make another kind from", volume: of.clone() });
        }
        let shape = meta.shape();
        From { pool: self, id: of, place, meta }.copy_to(to, &shape, control)
    }

    fn delete(&self, of: &VolumeId, name: &str) -> Result<()> {
        of.check()?;
        check_name(name)?;
        let _lock = Lock::pool(&self.layout)?;
        self.trash.throw(&self.layout.volume(of).snapshot(name).folder)
    }

    fn rename(&self, of: &VolumeId, name: &str, to: &str) -> Result<()> {
        check_name(to)?;
        let (from, _) = self.snapshot(of, name)?;
        let (place, _) = self.find(of)?;
        let _lock = Lock::pool(&self.layout)?;
        match fsio::move_new(&from.folder, &place.snapshot(to).folder)? {
            Moved::Yes => fsio::sync_dir(&place.snapshots()),
            Moved::TargetExists => {
                Err(Error::SnapshotExists { volume: of.clone(), snapshot: to.to_owned() })
            }
            Moved::NoSource => Err(absent(of, name)),
        }
    }

    fn adopt(&self, volume: &VolumeId, of: &VolumeId, name: &str) -> Result<()> {
        check_name(name)?;
        if volume.kind != of.kind || volume.kind == VolumeKind::Image {
            let what = "keep as a snapshot of another kind";
            return Err(Error::Unsupported { what, volume: volume.clone() });
        }
        let _lock = Lock::pool(&self.layout)?;
        let ((from, _), (to, _)) = (self.find(volume)?, self.find(of)?);
        if !fsio::exists(&to.snapshots())? {
            fsio::ensure_dir(&to.snapshots(), 0o700)?;
            fsio::sync_dir(&to.folder)?;
        }
        match fsio::move_new(&from.folder, &to.snapshot(name).folder)? {
            Moved::TargetExists => {
                Err(Error::SnapshotExists { volume: of.clone(), snapshot: name.to_owned() })
            }
            _ => fsio::sync_dir(&to.snapshots()),
        }
    }

    fn attach(&self, of: &VolumeId, name: &str) -> Result<Attached> {
        let (place, meta) = self.snapshot(of, name)?;
        self.attach_at(of, &place, &meta)
    }

    fn folder(&self, of: &VolumeId, name: &str) -> Result<PathBuf> {
        Ok(self.snapshot(of, name)?.0.folder)
    }

    fn detach(&self, of: &VolumeId, name: &str) -> Result<()> {
        match self.snapshot(of, name) {
            Ok((place, meta)) => self.trees.close(&meta.contents(&place)),
            Err(Error::NotFound { .. } | Error::SnapshotNotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl DirPool {
    pub(super) fn snapshot(&self, of: &VolumeId, name: &str) -> Result<(Place, Meta)> {
        check_name(name)?;
        let (volume, _) = self.find(of)?;
        let place = volume.snapshot(name);
        let meta = Meta::find(&place)?.ok_or_else(|| absent(of, name))?;
        Ok((place, meta))
    }
}

fn absent(of: &VolumeId, name: &str) -> Error {
    Error::SnapshotNotFound { volume: of.clone(), snapshot: name.to_owned() }
}

/// The same volume, as of now.
pub(super) fn renewed(meta: &Meta) -> Meta {
    Meta::new(meta.kind, &meta.shape(), meta.lower.as_deref())
}

/// Swaps the restored contents in by one rename; what they replace goes with the build.
pub(super) fn put_back(build: &Place, now: &Place, meta: &Meta) -> Result<()> {
    fsio::swap(&meta.contents(build), &meta.contents(now))?;
    for name in ["work", "metadata.yaml", "templates", "boot", OWN, STATE] {
        let (from, to) = (build.folder.join(name), now.folder.join(name));
        match (fsio::exists(&from)?, fsio::exists(&to)?) {
            (true, true) => fsio::swap(&from, &to)?,
            (true, false) => std::fs::rename(&from, &to).at("restore", &to)?,
            _ => {}
        }
    }
    if meta.content == Content::Filesystem || meta.size.is_some() {
        meta.replace(now)?;
    }
    fsio::sync_dir(&now.folder)
}
