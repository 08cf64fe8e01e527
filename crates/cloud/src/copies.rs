//! The files of a copy of an instance or volume: cheaply within a pool, whole into another.

use chrono::{DateTime, Utc};
use exec::Control;
use storage::{Pool, Shape, VolumeId, fallback};

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
}

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
        })
    }

    /// Makes the copy; one that is there is this one.
    pub(crate) async fn whole(&self) -> Result<()> {
        let files = self.clone();
        blocking("copy files", move || {
            if files.to.exists(&files.target)? {
                return Ok(());
            }
            match &files.snapshot {
                Some(name) => files.copy_snapshot(name, &files.target),
                None => files.copy_now(),
            }
        })
        .await
    }
    fn copy_now(&self) -> storage::Result<()> {
        let (from, to) = ((&*self.from, &self.source), (&*self.to, &self.target));
        match self.from.clones() {
            Some(clones) if self.within => {
                clones.clone_from(&self.source, &self.target, &self.shape, &self.control)
            }
            _ => fallback::copy_volume(from, to, &self.shape, &self.control),
        }
    }

    fn copy_snapshot(&self, name: &str, to: &VolumeId) -> storage::Result<()> {
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
            let (from, to) = ((&*files.from, &files.source), (&*files.to, &files.target));
            fallback::refresh_volume(from, to, &files.control)
        })
        .await
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
            files.copy_snapshot(&name, &files.side)?;
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
