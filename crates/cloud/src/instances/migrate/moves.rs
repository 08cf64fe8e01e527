//! Who has an instance that goes from one member of the cluster to another: a row decides.
//!
//! ```text
//! source   begin: it is under way, by this number ── transfer ──────────────── end: the row goes. Still mine?
//! target                                              take: only while the row has that number
//! ```
//! Each is one write of the database, so both see them in the same order: whatever breaks off, exactly one member
//! has it. What fails without a majority is tried again until that is known (`tasks::STUCK`).

use serde::{Deserialize, Serialize};
use store::MemberId;
use uuid::Uuid;

use crate::{
    Error, Result, World,
    db::{
        instance_snapshots::{self as snapshots, Snapshot},
        instances::{self as rows, Instance},
        moves, volumes,
    },
    instances::{copy::draft::in_pool, root::NewRoot},
    networks::hosts,
};

/// A move of an instance to another member.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Moving {
    /// The key of its row.
    pub(crate) instance: i64,
    /// The move's own number.
    pub(crate) number: Uuid,
}

impl Moving {
    /// A move that has not begun.
    pub(crate) fn new(instance: i64) -> Moving {
        Moving { instance, number: Uuid::new_v4() }
    }

    /// Notes that it is under way.
    pub(super) async fn begin(&self, world: &World) -> Result<()> {
        let begun = world.store.write(|db| {
            let me = crate::cluster::own(db)?.name;
            match rows::by_id(db, self.instance)? {
                Some(row) if row.member == me => {
                    Ok(moves::begin(db, self.instance, &self.number.to_string())?)
                }
                Some(row) => Err(Error::Elsewhere { name: row.name, member: row.member }),
                None => Err(Error::not_found("instance", &self.instance.to_string())),
            }
        });
        begun.await
    }

    /// Ends it, whatever became of it. From now on nobody can take the instance by it.
    ///
    /// Returns whether this member has the instance.
    pub(crate) async fn end(&self, world: &World) -> Result<bool> {
        let ended = world.store.write(|db| {
            moves::end(db, self.instance, &self.number.to_string())?;
            let me = crate::cluster::own(db)?.name;
            let row = rows::by_id(db, self.instance)?;
            Ok::<_, Error>(row.is_some_and(|row| row.member == me))
        });
        ended.await
    }

    /// Makes the instance another member's, as it is; it is Ok if it is so already.
    ///
    /// # Errors
    /// The other has ended the move.
    pub(super) async fn give(&self, world: &World, to: MemberId) -> Result<()> {
        let given = world.store.write(|db| {
            let row = rows::by_id(db, self.instance)?;
            let row =
                row.ok_or_else(|| Error::not_found("instance", &self.instance.to_string()))?;
            if moves::get(db, self.instance)? != Some(self.number.to_string()) {
                return Err(Error::BrokenOff);
            }
            if let Some(volume) = volumes::of_instance(db, &row.project, &row.kind, &row.name)? {
                volumes::set_member(db, volume.id, to)?;
            }
            Ok::<_, Error>(rows::set_member(db, self.instance, to)?)
        });
        given.await
    }

    /// Makes the instance this member's, as it is, of the member that has it; it is Ok if it is so already. The move stands
    /// until it is ended.
    ///
    /// # Errors
    /// The source has ended the move, or another member has it by now.
    pub(super) async fn take_over(&self, world: &World, from: &str) -> Result<()> {
        let taken = world.store.write(|db| {
            let (id, me) = (self.instance, crate::cluster::own(db)?);
            let row = rows::by_id(db, id)?;
            let row = row.ok_or_else(|| Error::not_found("instance", &id.to_string()))?;
            let stands = moves::get(db, id)? == Some(self.number.to_string());
            if !stands || (row.member != from && row.member != me.name) {
                return Err(Error::BrokenOff);
            }
            if let Some(volume) = volumes::of_instance(db, &row.project, &row.kind, &row.name)? {
                volumes::set_member(db, volume.id, me.id)?;
            }
            Ok::<_, Error>(rows::set_member(db, id, me.id)?)
        });
        taken.await
    }

    /// Ends it, as [`Moving::end`]; returns whether the instance is this member's by this very move, as far as can be told:
    /// not where the other end has ended it, or who heals the cluster.
    pub(super) async fn end_taken(&self, world: &World) -> Result<bool> {
        let ended = world.store.write(|db| {
            let stood = moves::get(db, self.instance)? == Some(self.number.to_string());
            moves::end(db, self.instance, &self.number.to_string())?;
            let me = crate::cluster::own(db)?.name;
            let row = rows::by_id(db, self.instance)?;
            Ok::<_, Error>(stood && row.is_some_and(|row| row.member == me))
        });
        ended.await
    }

    /// Makes the instance this member's, by the name of `new`, its root and snapshots as these say; it is Ok if it is
    /// so already. All else stays as its row says by now.
    ///
    /// # Errors
    /// The source has ended the move.
    pub(crate) async fn take(
        &self,
        world: &World,
        new: &Instance,
        kept: &[Snapshot],
        root: &NewRoot,
    ) -> Result<()> {
        let taken = world.store.write(|db| {
            let (id, me) = (self.instance, crate::cluster::own(db)?);
            let row = rows::by_id(db, id)?;
            let row = row.ok_or_else(|| Error::not_found("instance", &new.name))?;
            if row.member == me.name {
                return Ok(());
            }
            if moves::get(db, id)? != Some(self.number.to_string()) {
                return Err(Error::BrokenOff);
            }
            if row.name != new.name && rows::get(db, &new.project, &new.name)?.is_some() {
                return Err(Error::exists("instance", &new.name));
            }
            let devices = in_pool(db, &row, &root.pool)?;
            if let Some(volume) = volumes::of_instance(db, &row.project, &row.kind, &row.name)? {
                volumes::relocate(db, volume.id, &root.pool, &new.project, &new.name)?;
                volumes::update(db, volume.id, &volume.description, &root.config)?;
                volumes::set_member(db, volume.id, me.id)?;
            }
            rows::relocate(db, id, &new.project, &new.name)?;
            rows::set_devices(db, id, &devices)?;
            rows::set_member(db, id, me.id)?;
            for snapshot in kept {
                snapshots::set_devices(db, snapshot.id, &snapshot.devices)?;
            }
            Ok::<_, Error>(moves::end(db, id, &self.number.to_string())?)
        });
        taken.await
    }
}

/// Deletes what is left here of an instance that another member has now; its root, where that stayed in this pool.
pub(super) async fn delete_left(world: &World, pool: Option<&str>, old: &Instance) -> Result<()> {
    let (project, name) = (&old.project, &old.name);
    if let Some(pool) = pool {
        crate::instances::delete::delete_volume(world, pool, old).await?;
    }
    crate::instances::delete::remove_folders(world, project, name).await?;
    let backups = crate::instances::backups::folder(project, name);
    crate::backups::remove_all(world, &backups).await?;
    hosts::tell_of(world, project, name)
}
