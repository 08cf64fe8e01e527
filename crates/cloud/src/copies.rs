//! The files of a copy of an instance or volume: cheaply within a pool, whole into another.

use chrono::{DateTime, Utc};
use exec::Control;
use std::path::Path;
use std::sync::Arc;
use storage::{
    Fill, FillError, Pool, Shape, VolumeId, VolumeKind, fallback,
    streams::{self, Arrival, Point},
};

use crate::{Error, Result, World, blocking::blocking, storage::OpenPool};

/// What a refresh does to the snapshots of a copy.
pub(crate) struct Changes<S> {
    /// Names of those that the source has not, or not the same.
    pub(crate) gone: Vec<String>,
    /// Those of the source that the copy has not.
    pub(crate) new: Vec<S>,
}

impl<S: Clone> Changes<S> {
    /// From what is there to what is wanted; they are the same by name and time.
    pub(crate) fn of<'a>(
        there: &'a [S],
        wanted: &'a [S],
        id: impl Fn(&'a S) -> (&'a str, DateTime<Utc>),
    ) -> Changes<S> {
        let lacks = |all: &'a [S], one: &'a S| !all.iter().any(|other| id(other) == id(one));
        let gone = there.iter().filter(|one| lacks(wanted, one));
        Changes {
            gone: gone.map(|one| id(one).0.to_owned()).collect(),
            new: wanted.iter().filter(|one| lacks(there, one)).cloned().collect(),
        }
    }
}

/// What is copied, and where to.
pub(crate) struct Ends<'a> {
    /// The pool and the volume that is copied.
    pub(crate) from: (&'a str, VolumeId),
    /// Only this snapshot of it.
    pub(crate) snapshot: Option<String>,
    /// The pool and the volume that is made.
    pub(crate) to: (&'a str, VolumeId),
    /// The name of a volume on its way to become a snapshot, which nothing else can have.
    pub(crate) side: String,
}

/// Whether a new copy gets snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Snapshots {
    /// They are copied after it.
    Follow,
    /// It gets none.
    None,
}

impl Snapshots {
    pub(crate) fn any<T>(snapshots: &[T]) -> Snapshots {
        if snapshots.is_empty() { Snapshots::None } else { Snapshots::Follow }
    }
}

/// Where files come from and where they go.
#[derive(Clone)]
pub(crate) struct Files {
    from: OpenPool,
    source: VolumeId,
    snapshot: Option<String>,
    to: OpenPool,
    target: VolumeId,
    side: VolumeId,
    /// Whether it is all one pool.
    within: bool,
    shape: Shape,
    control: Control,
    held: Option<Held>,
}

/// Called from a thread that may block, once what is copied of a source is held: it may change from then on.
pub(crate) type Held = Arc<dyn Fn() + Send + Sync>;

impl Files {
    pub(crate) async fn open(
        world: &World,
        ends: Ends<'_>,
        shape: Shape,
        control: &Control,
    ) -> Result<Files> {
        let ((from, source), (to, target)) = (ends.from, ends.to);
        Ok(Files {
            from: world.pools.open(world, from).await?,
            source,
            snapshot: ends.snapshot,
            to: world.pools.open(world, to).await?,
            side: VolumeId::new(target.kind, ends.side)?,
            target,
            within: from == to,
            shape,
            control: control.clone(),
            held: None,
        })
    }

    /// The same, which tells when its source may change. Where files are copied one by one, it does not.
    pub(crate) fn when_held(self, held: Held) -> Files {
        Files { held: Some(held), ..self }
    }

    /// Makes the copy; one that is there is this one. Where snapshots follow that each can be sent as what
    /// changed, it gets its contents after them, from [`Files::snapshots`].
    pub(crate) async fn whole(&self, snapshots: Snapshots) -> Result<()> {
        let files = self.clone();
        blocking("copy files", move || {
            if files.to.exists(&files.target)? {
                return Ok(());
            }
            match (&files.snapshot, snapshots) {
                (Some(name), _) => files.copy_snapshot(name, &files.target, None),
                (None, Snapshots::Follow) if files.by_streams() => files.make_bare(),
                (None, _) => files.copy_now(),
            }
        })
        .await
    }

    /// Whether the pools are two that understand each other's streams: then a new copy gets its contents after its
    /// snapshots.
    pub(crate) fn by_streams(&self) -> bool {
        !self.within && streams::understand(&*self.from, &*self.to)
    }

    /// Makes the copy without its contents.
    fn make_bare(&self) -> storage::Result<()> {
        let folder = self.from.folder(&self.source)?;
        let mut fill = |into: &Path| -> Result<(), FillError> {
            crate::backups::empty(&self.shape, into)?;
            Ok(fallback::copy_beside(&folder, into)?)
        };
        let is_root =
            matches!(self.target.kind, VolumeKind::Container | VolumeKind::VirtualMachine);
        let fill: Option<Fill<'_>> = match is_root {
            true => Some(&mut fill),
            false => None,
        };
        self.to.create(&self.target, &self.shape, fill, &self.control)
    }

    /// Brings the state of the source, or of a snapshot, into the other pool; false where that cannot be.
    fn stream(
        &self,
        snapshot: Option<&str>,
        to: &VolumeId,
        kept: Option<Option<&str>>,
    ) -> storage::Result<bool> {
        if !self.by_streams() {
            return Ok(false);
        }
        let beside = self.from.folder(&self.source)?;
        let what = Point { of: &self.source, snapshot };
        // A snapshot does not change.
        let held = self.held.as_deref().filter(|_| snapshot.is_none());
        let held = held.map(|held| held as &(dyn Fn() + Sync));
        let (shape, beside) = (&self.shape, Some(&*beside));
        let arrival = Arrival { to, shape, base: None, kept, beside, held };
        let ends = ((&*self.from as &dyn Pool, what), (&*self.to as &dyn Pool, &self.target));
        streams::transfer(ends.0, ends.1, arrival, &self.control)
    }

    fn copy_now(&self) -> storage::Result<()> {
        if self.stream(None, &self.target, None)? {
            return Ok(());
        }
        let (from, to) = ((&*self.from, &self.source), (&*self.to, &self.target));
        match self.from.clones() {
            Some(clones) if self.within => {
                clones.clone_from(&self.source, &self.target, &self.shape, &self.control)
            }
            _ => fallback::copy_volume(from, to, &self.shape, &self.control),
        }
    }

    fn copy_snapshot(
        &self,
        name: &str,
        to: &VolumeId,
        kept: Option<Option<&str>>,
    ) -> storage::Result<()> {
        if self.stream(Some(name), to, kept)? {
            return Ok(());
        }
        match self.from.snapshots() {
            Some(snapshots) if self.within && !self.shape.plain => {
                snapshots.copy(&self.source, name, to, &self.control)
            }
            _ => {
                let from = (&*self.from as &dyn Pool, &self.source, name);
                fallback::copy_snapshot(from, (&*self.to, to), &self.shape, &self.control)
            }
        }
    }

    /// Brings the copy's files or disk up to date.
    pub(crate) async fn refresh(&self) -> Result<()> {
        let files = self.clone();
        blocking("refresh files", move || {
            if files.stream(None, &files.target, None)? {
                return Ok(());
            }
            let (from, to) = ((&*files.from, &files.source), (&*files.to, &files.target));
            fallback::refresh_volume(from, to, &files.control)
        })
        .await
    }

    /// Gives a new copy the snapshots of its source. True where its own contents wait for them: [`Files::refresh`]
    /// brings those.
    pub(crate) async fn snapshots(&self, names: impl Iterator<Item = &String>) -> Result<bool> {
        let mut any = false;
        for name in names {
            self.snapshot(name).await?;
            any = true;
        }
        Ok(any && self.by_streams())
    }

    /// The same, with the contents: of a source that nobody writes to.
    pub(crate) async fn all(&self, names: impl Iterator<Item = &String>) -> Result<()> {
        match self.snapshots(names).await? {
            true => self.refresh().await,
            false => Ok(()),
        }
    }

    /// Gives the copy a snapshot of its source's.
    pub(crate) async fn snapshot(&self, name: &str) -> Result<()> {
        let (files, name) = (self.clone(), name.to_owned());
        blocking("copy snapshot", move || {
            let Some(snapshots) = files.to.snapshots() else {
                return Err(Error::Unsupported("a snapshot in a storage pool of this driver"));
            };
            if snapshots.list(&files.target)?.contains(&name) {
                return Ok(());
            }
            files.to.delete(&files.side)?;
            files.copy_snapshot(&name, &files.side, Some(None))?;
            Ok(snapshots.adopt(&files.side, &files.target, &name)?)
        })
        .await
    }

    /// Deletes what did not become a snapshot.
    pub(crate) async fn delete_side(&self) -> Result<()> {
        let (to, side) = (self.to.clone(), self.side.clone());
        blocking("delete a copy half made", move || to.delete(&side)).await
    }
}
