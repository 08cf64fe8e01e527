//! Changes a bucket.

use options::{BucketOptions, Options, Raw};
use wire::StorageBucketPut;

use crate::{
    Caller, Error, Result, World,
    db::buckets as rows,
    etag::{self, IfMatch},
    projects::rules,
};

/// Changes a bucket to what `change` makes of its editable part. A size below what is in it keeps
/// what is in it and lets nothing more in.
pub async fn update(
    world: &World,
    caller: &Caller,
    (pool, project, name): (&str, &str, &str),
    seen: IfMatch,
    change: impl Fn(StorageBucketPut) -> Result<StorageBucketPut> + Send + Sync,
) -> Result<()> {
    let changed = world.store.write(|db| {
        let row = super::find(db, &world.me(), pool, project, name)?;
        let old = super::writable(&row);
        etag::check(&seen, &old, "storage bucket", name)?;
        let new = change(old)?;
        let config: Raw = new.config.into();
        BucketOptions::parse(&config)?;
        rows::update(db, row.id, &new.description, &config)?;
        rules::keep(db, &row.project)?;
        Ok::<_, Error>(row.project)
    });
    let home = changed.await?;
    world.tell(caller, &home, "storage-bucket-updated", super::address(pool, &home, name));
    Ok(())
}
