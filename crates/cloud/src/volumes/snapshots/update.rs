//! Changes what a snapshot of a volume is described as, and when it is deleted by itself.

use wire::StorageVolumeSnapshotPut;

use super::super::Key;
use crate::{
    Caller, Error, Result, World,
    db::volume_snapshots as rows,
    etag::{self, IfMatch},
    snapshots::moment,
};

/// Changes a snapshot to what `change` makes of its editable part.
pub async fn update(
    world: &World,
    caller: &Caller,
    key: &Key,
    name: &str,
    seen: IfMatch,
    change: impl Fn(StorageVolumeSnapshotPut) -> Result<StorageVolumeSnapshotPut> + Send + Sync,
) -> Result<()> {
    let changed = world.store.write(|db| {
        let (_, row) = super::find(db, key, name)?;
        let writable = super::list::writable(&row);
        etag::check(&seen, &writable, "snapshot", name)?;
        let (old, new) = (writable.expires_at, change(writable)?);
        // One that is about to go may be given another text.
        let end = if new.expires_at == old { row.expires_at } else { moment(new.expires_at)? };
        Ok::<_, Error>(rows::update(db, row.id, &new.description, end)?)
    });
    changed.await?;
    let source = super::address(key, name);
    world.tell(caller, &key.project, "storage-volume-snapshot-updated", source);
    Ok(())
}
