//! Changes when a snapshot is deleted by itself.

use wire::InstanceSnapshotPut;

use crate::{
    Caller, Error, Result, World,
    db::instance_snapshots as rows,
    etag::{self, IfMatch},
    snapshots::moment,
};

/// Changes a snapshot to what `change` makes of its editable part.
pub async fn update(
    world: &World,
    caller: &Caller,
    project: &str,
    instance: &str,
    name: &str,
    seen: IfMatch,
    change: impl Fn(InstanceSnapshotPut) -> Result<InstanceSnapshotPut> + Send + Sync,
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
