//! What clients see of backups.

use std::path::PathBuf;

use store::Read;
use wire::{InstanceBackup, Timestamp};

use crate::{
    Caller, Error, Result, World,
    db::{
        instance_backups::{self as rows, Backup},
        instances::{Instance, Made},
    },
};

/// Every backup of an instance, the oldest first.
pub fn list(world: &World, project: &str, instance: &str) -> Result<Vec<InstanceBackup>> {
    world.store.read(|db| {
        let row = crate::instances::find(db, project, instance)?;
        rendered(db, &row)
    })
}

/// One backup.
pub fn get(world: &World, project: &str, instance: &str, name: &str) -> Result<InstanceBackup> {
    world.store.read(|db| Ok(render(super::find(db, project, instance, name)?.1)))
}

/// The file of a backup, for a client that fetches it.
pub fn file(
    world: &World,
    caller: &Caller,
    project: &str,
    instance: &str,
    name: &str,
) -> Result<PathBuf> {
    world.store.read(|db| super::find(db, project, instance, name))?;
    let source = super::address(project, instance, name);
    world.tell(caller, project, "instance-backup-retrieved", source);
    Ok(super::path(world, project, instance, name))
}

/// The backups of an instance as clients see them.
pub(crate) fn rendered(db: &Read<'_>, instance: &Instance) -> Result<Vec<InstanceBackup>> {
    let found = rows::of_instance(db, instance.id)?.into_iter();
    Ok::<_, Error>(found.filter(|row| row.made == Made::Ready).map(render).collect())
}

fn render(row: Backup) -> InstanceBackup {
    InstanceBackup {
        name: row.name,
        created_at: row.created_at.into(),
        expires_at: row.expires_at.map_or(Timestamp::NEVER, Timestamp::from),
        instance_only: row.instance_only,
        container_only: row.instance_only,
        optimized_storage: row.optimized,
    }
}
