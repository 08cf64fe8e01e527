//! What clients see of snapshots.

use store::Read;
use wire::{InstanceSnapshot, InstanceSnapshotPut, Timestamp};

use crate::{
    Error, Result, World,
    db::{
        self,
        instance_snapshots::{self as rows, Snapshot},
        instances::{Instance, Made},
    },
    expand,
};

/// Every snapshot of an instance, the oldest first.
pub fn list(world: &World, project: &str, instance: &str) -> Result<Vec<InstanceSnapshot>> {
    world.store.read(|db| {
        let row = crate::instances::find(db, project, instance)?;
        rendered(db, &row)
    })
}

/// One snapshot.
pub fn get(world: &World, project: &str, instance: &str, name: &str) -> Result<InstanceSnapshot> {
    world.store.read(|db| {
        let (instance, snapshot) = super::find(db, project, instance, name)?;
        render(db, &instance, snapshot)
    })
}

/// The snapshots of an instance as clients see them.
pub(crate) fn rendered(db: &Read<'_>, instance: &Instance) -> Result<Vec<InstanceSnapshot>> {
    render_all(db, instance, rows::of_instance(db, instance.id)?)
}

/// The same of rows that were read before.
pub(crate) fn render_all(
    db: &Read<'_>,
    instance: &Instance,
    found: Vec<Snapshot>,
) -> Result<Vec<InstanceSnapshot>> {
    let whole = found.into_iter().filter(|row| row.made == Made::Ready);
    whole.map(|row| render(db, instance, row)).collect::<Result<_, Error>>()
}

fn render(db: &Read<'_>, instance: &Instance, row: Snapshot) -> Result<InstanceSnapshot> {
    let expanded = expand::expand(db, &row.instance(instance))?;
    Ok(InstanceSnapshot {
        expires_at: writable(&row).expires_at,
        created_at: row.created_at.into(),
        last_used_at: row.last_used_at.into(),
        expanded_config: expanded.config.0,
        expanded_devices: db::devices_out(expanded.devices),
        name: row.name,
        architecture: row.architecture,
        config: row.config.0,
        devices: db::devices_out(row.devices),
        ephemeral: row.ephemeral,
        profiles: row.profiles,
        stateful: row.stateful,
        size: -1,
    })
}

/// What a client may edit of a snapshot.
pub(super) fn writable(row: &Snapshot) -> InstanceSnapshotPut {
    InstanceSnapshotPut { expires_at: row.expires_at.map_or(Timestamp::NEVER, Timestamp::from) }
}
