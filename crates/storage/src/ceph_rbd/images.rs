//! The images of a pool: found, published, and removed with all that hangs on them.

use std::ops::Range;

use exec::Control;
use exec::rbd::{self, Done, Info, Point, Snap};

use super::names;
use super::note::{KEY, Note};
use crate::{CephOptions, Error, Result, VolumeId};

/// Those of a pool.
#[derive(Debug)]
pub(super) struct Images {
    pub(super) rbd: rbd::Pool,
}

/// What images of ours can do where it is not said: be cloned, and be taken over from a member that died.
const FEATURES: [&str; 2] = ["layering", "exclusive-lock"];

impl Images {
    pub(super) fn new(pool: &str, options: &CephOptions) -> Images {
        let features = match options.features.is_empty() {
            true => FEATURES.map(str::to_owned).to_vec(),
            false => options.features.clone(),
        };
        let (cluster, data_pool) = (options.cluster(), options.data_pool.clone());
        Images { rbd: rbd::Pool { cluster, name: pool.to_owned(), features, data_pool } }
    }

    pub(super) fn failed(
        &self,
        doing: &'static str,
        image: &str,
    ) -> impl FnOnce(exec::Error) -> Error {
        let what = format!("{}/{image}", self.rbd.name);
        move |source| match source {
            exec::Error::Cancelled { source, .. } => Error::Cancelled(source),
            source => Error::Program { doing, what, source: Box::new(source) },
        }
    }

    /// The names of all images; None where there is no OSD pool.
    pub(super) fn names(&self) -> Result<Option<Vec<String>>> {
        self.rbd.list().map_err(self.failed("list", ""))
    }

    pub(super) fn find(&self, image: &str) -> Result<Option<Note>> {
        let text = self.rbd.note(image, KEY).map_err(self.failed("look at", image))?;
        text.map(|text| Note::read(&text, image)).transpose()
    }

    pub(super) fn set(&self, image: &str, note: &Note) -> Result<()> {
        let text = note.text(image)?;
        self.must("note what is in", image, self.rbd.set_note(image, KEY, &text))
    }

    pub(super) fn info(&self, image: &str) -> Result<Info> {
        let found = self.rbd.info(image).map_err(self.failed("look at", image))?;
        found.ok_or_else(|| self.gone("look at", image))
    }

    pub(super) fn snaps(&self, image: &str) -> Result<Vec<Snap>> {
        Ok(self.rbd.snaps(image).map_err(self.failed("look at", image))?.unwrap_or_default())
    }

    /// The parts of an image or a snapshot that do not just read as zeros.
    pub(super) fn parts(&self, of: Point<'_>) -> Result<Vec<Range<u64>>> {
        self.rbd.parts(of).map_err(self.failed("compare", of.image))
    }

    pub(super) fn create(&self, image: &str, size: u64) -> Result<()> {
        self.must("make", image, self.rbd.create(image, size))
    }

    pub(super) fn resize(&self, image: &str, size: u64) -> Result<()> {
        self.must("change the size of", image, self.rbd.resize(image, size))
    }

    /// Takes a snapshot; false where the name is another's.
    pub(super) fn take(&self, of: Point<'_>) -> Result<bool> {
        self.try_to("take a snapshot of", of.image, self.rbd.take(of))
    }

    /// Renames an image; false where the name is another's.
    pub(super) fn rename(&self, image: &str, to: &str) -> Result<bool> {
        self.try_to("rename", image, self.rbd.rename(image, to))
    }

    /// Makes what is to be cloned of an image.
    pub(super) fn keep_readonly(&self, image: &str) -> Result<()> {
        let snap = Point::snap(image, names::READONLY);
        self.take(snap)?;
        self.protect(snap)
    }

    fn protect(&self, snap: Point<'_>) -> Result<()> {
        self.must("protect a snapshot of", snap.image, self.rbd.protect(snap))
    }

    /// Makes an image of a snapshot: one that shares what is the same, or has all of its own.
    pub(super) fn copy(
        &self,
        of: Point<'_>,
        to: &str,
        share: Share,
        control: &Control,
    ) -> Result<()> {
        match share {
            Share::All => {
                self.protect(of)?;
                self.must("clone", of.image, self.rbd.clone(of, to))
            }
            Share::Nothing => self.must("copy", of.image, self.rbd.copy(of, to, control)),
        }
    }

    /// Makes an image again what it was.
    pub(super) fn roll_back(&self, to: Point<'_>) -> Result<()> {
        self.must("restore", to.image, self.rbd.roll_back(to))
    }

    /// Renames a snapshot; false where the name is another's.
    pub(super) fn rename_snap(&self, snap: Point<'_>, to: &str) -> Result<bool> {
        self.try_to("rename a snapshot of", snap.image, self.rbd.rename_snap(snap, to))
    }

    /// Removes a snapshot; one that has clones goes with the last of them. An absent one is Ok.
    pub(super) fn remove_snap(&self, image: &str, snap: &str) -> Result<()> {
        let point = Point::snap(image, snap);
        if !self.drop_snap(point)? && !names::is_zombie(snap) {
            self.rename_snap(point, &names::fresh("zombie"))?;
        }
        Ok(())
    }

    /// Removes a snapshot; false where it has clones.
    fn drop_snap(&self, snap: Point<'_>) -> Result<bool> {
        let doing = "remove a snapshot of";
        for verb in [rbd::Pool::unprotect, rbd::Pool::remove_snap] {
            match verb(&self.rbd, snap).map_err(self.failed(doing, snap.image))? {
                Done::Busy => return Ok(false),
                Done::Yes | Done::NotFound | Done::Exists => {}
            }
        }
        Ok(true)
    }

    /// Removes an image that is no volume's any more, with its snapshots and what is beside it. What others are
    /// clones of, or a machine still has open, stays as a zombie. An absent one is Ok.
    pub(super) fn discard(&self, image: &str) -> Result<()> {
        let Some(info) = self.rbd.info(image).map_err(self.failed("look at", image))? else {
            return Ok(());
        };
        let owner = match names::made(image) {
            Some(uuid) => Some(uuid),
            None => self.find(image)?.map(|note| note.uuid),
        };
        if let Some(uuid) = owner {
            self.discard(&names::beside(uuid))?;
            for name in self.names()?.unwrap_or_default() {
                if names::adopted_by(&name, uuid).is_some() {
                    self.discard(&name)?;
                }
            }
        }
        let mut cloned = false;
        for snap in self.snaps(image)? {
            cloned |= !self.drop_snap(Point::snap(image, &snap.name))?;
        }
        let removed = match cloned {
            true => Done::Busy,
            false => self.rbd.remove(image).map_err(self.failed("remove", image))?,
        };
        match removed {
            Done::Yes | Done::NotFound => self.tidy(&info),
            Done::Busy | Done::Exists if names::is_zombie(image) => Ok(()),
            Done::Busy | Done::Exists => self.rename(image, &names::zombie(image)).map(drop),
        }
    }

    /// Removes what an image that went was cloned from, if that was kept for it alone.
    fn tidy(&self, gone: &Info) -> Result<()> {
        let Some(parent) = &gone.parent else { return Ok(()) };
        match (names::is_zombie(&parent.image), names::is_zombie(&parent.snapshot)) {
            (true, _) => self.discard(&parent.image),
            (_, true) => self.remove_snap(&parent.image, &parent.snapshot),
            _ => Ok(()),
        }
    }

    /// Gives an image that was made a volume's name. An image that is there already has the same contents.
    pub(super) fn publish(&self, image: &str, to: &VolumeId) -> Result<Published> {
        match (self.rename(image, &names::of(to))?, to.kind) {
            (true, _) => Ok(Published::Yes),
            (false, crate::VolumeKind::Image) => Ok(Published::WasThere),
            (false, _) => Err(Error::Exists { volume: to.clone() }),
        }
    }

    fn gone(&self, doing: &'static str, image: &str) -> Error {
        let source = std::io::Error::from(std::io::ErrorKind::NotFound);
        Error::Io { doing, path: format!("{}/{image}", self.rbd.name).into(), source }
    }

    fn refused(&self, doing: &'static str, image: &str, why: std::io::ErrorKind) -> Error {
        let path = format!("{}/{image}", self.rbd.name).into();
        Error::Io { doing, path, source: why.into() }
    }

    fn try_to(&self, doing: &'static str, image: &str, done: exec::Result<Done>) -> Result<bool> {
        match done.map_err(self.failed(doing, image))? {
            Done::Yes => Ok(true),
            Done::Exists => Ok(false),
            Done::NotFound => Err(self.gone(doing, image)),
            Done::Busy => Err(self.refused(doing, image, std::io::ErrorKind::ResourceBusy)),
        }
    }

    fn must(&self, doing: &'static str, image: &str, done: exec::Result<Done>) -> Result<()> {
        match self.try_to(doing, image, done)? {
            true => Ok(()),
            false => Err(self.refused(doing, image, std::io::ErrorKind::AlreadyExists)),
        }
    }
}

/// What a copy shares with what it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Share {
    /// All that is the same.
    All,
    /// Nothing.
    Nothing,
}

/// What came of giving an image its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Published {
    /// It has it.
    Yes,
    /// Another member, or an earlier try, was first.
    WasThere,
}
