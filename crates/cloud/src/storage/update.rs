//! Changes a storage pool.

use options::Raw;
use wire::StoragePoolPut;

use crate::{
    Caller, Error, Result, World,
    db::pools as rows,
    etag::{self, IfMatch},
    url,
};

/// Changes a pool to what `change` makes of its editable part. Where it lives cannot change.
pub async fn update(
    world: &World,
    caller: &Caller,
    name: &str,
    seen: IfMatch,
    change: impl Fn(StoragePoolPut) -> Result<StoragePoolPut> + Send,
) -> Result<()> {
    world
        .store
        .write(|db| {
            let row = super::find(db, name)?;
            let old = super::writable(&row);
            etag::check(&seen, &old, "storage pool", name)?;
            let new = change(old)?;
            let config: Raw = new.config.into();
            super::check_options(&row.driver, &config)?;
            if config.get("source") != row.config.get("source") {
                return Err(Error::invalid("configuration", "source cannot change"));
            }
            Ok(rows::update(db, row.id, &new.description, &config)?)
        })
        .await?;
    let source = url::of("storage-pools", name, crate::names::DEFAULT_PROJECT);
    world.tell(caller, crate::names::DEFAULT_PROJECT, "storage-pool-updated", source);
    Ok(())
}
