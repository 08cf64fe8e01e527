//! The files of a copy: cheaply within a pool, whole into another.

use exec::Control;
use storage::{Content, Pool, Shape, VolumeId, fallback};
use tasks::Cx;

use super::{Copy, From};
use crate::{Error, Result, blocking::blocking, instances::boot::root_volume, storage::OpenPool};

/// Where files come from and where they go.
#[derive(Clone)]
pub(super) struct Files {
    from: OpenPool,
    source: VolumeId,
    snapshot: Option<String>,
    to: OpenPool,
    target: VolumeId,
    /// A volume on its way to become a snapshot. No instance can be called so.
    side: VolumeId,
    /// Whether it is all one pool.
    within: bool,
    shape: Shape,
    control: Control,
}

impl Files {
    pub(super) async fn of(cx: &Cx<Copy>) -> Result<Files> {
        let (world, input) = (&cx.world, &cx.input);
        let From { project, instance, snapshot, pool } = &input.from;
        let target = root_volume(&input.instance.project, &input.instance.name)?;
        let side = VolumeId::new(target.kind, format!("{}@new", target.name))?;
        let (size, plain) = (input.size, input.plain);
        Ok(Files {
            from: world.pools.open(world, pool).await?,
            source: root_volume(project, instance)?,
            snapshot: snapshot.clone(),
            to: world.pools.open(world, &input.pool).await?,
            target,
            side,
            within: *pool == input.pool,
            shape: Shape { content: Content::Filesystem, size, plain },
            control: cx.control.clone(),
        })
    }

    /// Makes the copy's root; one that is there is this copy's.
    pub(super) async fn root(&self) -> Result<()> {
        let files = self.clone();
        blocking("copy root", move || {
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

    /// Gives the copy a snapshot of its source's.
    pub(super) async fn snapshot(&self, name: &str) -> Result<()> {
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
    pub(super) async fn delete_side(&self) -> Result<()> {
        let (to, side) = (self.to.clone(), self.side.clone());
        blocking("delete a copy half made", move || to.delete(&side)).await
    }
}
