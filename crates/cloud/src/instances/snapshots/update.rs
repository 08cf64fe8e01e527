//! Changes when a snapshot is deleted by itself.

use chrono::{DateTime, Utc};
use wire::{InstanceSnapshotPut, Timestamp};

use crate::{
    Caller, Error, Result, World,
    db::instance_snapshots as rows,
    etag::{self, IfMatch},
};

/// Changes a snapshot to what `change` makes of its editable part.
pub async fn update(
    world: &World,
    caller: &Caller,
    project: &str,
    instance: &str,
    name: &str,
    seen: IfMatch,
    change: impl Fn(InstanceSnapshotPut) -> Result<InstanceSnapshotPut> + Send,
) -> Result<()> {
    let changed = world.store.write(|db| {
        let (_, row) = super::find(db, project, instance, name)?;
        let writable = super::list::writable(&row);
        etag::check(&seen, &writable, "snapshot", name)?;
        let wanted = moment(change(writable)?.expires_at)?;
        Ok::<_, Error>(rows::set_expiry(db, row.id, wanted)?)
    });
    changed.await?;
    let source = super::address(project, instance, name);
    world.tell(caller, project, "instance-snapshot-updated", source);
    Ok(())
}

/// The moment a client gives for a snapshot's end; `None` is never.
pub(in crate::instances) fn moment(given: Timestamp) -> Result<Option<DateTime<Utc>>> {
    match given.utc() {
        _ if given.is_never() => Ok(None),
        time if time > Utc::now() => Ok(Some(time)),
        time => Err(Error::invalid("expires_at", format!("{time} is in the past"))),
    }
}
