//! Changes a storage pool.

use options::Raw;
use store::Read;
use wire::StoragePoolPut;

use crate::{
    Caller, Error, Result, World,
    blocking::blocking,
    db::pools as rows,
    etag::{self, IfMatch},
    url,
};

/// Changes a pool to what `change` makes of its editable part. Where it lives cannot change. A pool in a
/// file grows first: if that fails nothing has changed, and if the rest does it is only larger.
pub async fn update(
    world: &World,
    caller: &Caller,
    name: &str,
    seen: IfMatch,
    change: impl Fn(StoragePoolPut) -> Result<StoragePoolPut> + Send + Sync,
) -> Result<()> {
    let claim = [tasks::Claim::alone(format!("pool/{name}"))];
    let _turn = world.locks().lock(&claim, "a change of the pool").await;
    let (before, after) = world.store.read(|db| changed(db, name, &seen, &change))?;
    if before.config.get("size") != after.config.get("size") {
        let _open = world.pools.open(world, name).await?;
        let (driver, spec) = (super::driver(&after.driver)?, super::spec(world, &after)?);
        blocking("grow pool", move || driver.grow(&spec)).await?;
    }
    world
        .store
        .write(|db| {
            let (_, new) = changed(db, name, &seen, &change)?;
            Ok::<_, Error>(rows::update(db, new.id, &new.description, &new.config)?)
        })
        .await?;
    let options = |row: &rows::Pool| super::parse_options(&row.driver, &row.config);
    if options(&before)? != options(&after)? {
        // The next use opens it with what new volumes are to be like.
        let _alone = world.pools.turn(world, name).await;
        world.pools.forget(name);
    }
    let source = url::of("storage-pools", name, crate::names::DEFAULT_PROJECT);
    world.tell(caller, crate::names::DEFAULT_PROJECT, "storage-pool-updated", source);
    Ok(())
}

/// A pool as it is, and as it is to be.
fn changed(
    db: &Read<'_>,
    name: &str,
    seen: &IfMatch,
    change: &impl Fn(StoragePoolPut) -> Result<StoragePoolPut>,
) -> Result<(rows::Pool, rows::Pool)> {
    let row = super::find(db, name)?;
    let old = super::writable(&row);
    etag::check(seen, &old, "storage pool", name)?;
    let new = change(old)?;
    let mut config: Raw = new.config.into();
    for (key, value) in row.config.iter().filter(|(key, _)| key.starts_with("volatile.")) {
        config.set_default(key, value);
    }
    super::parse_options(&row.driver, &config)?;
    let table = super::table(&row.driver);
    for key in config.keys().chain(row.config.keys()).filter(|key| is_fixed(&table, key)) {
        if config.get(key) != row.config.get(key) {
            return Err(Error::invalid("configuration", format!("{key} cannot change")));
        }
    }
    let changed = rows::Pool { description: new.description, config, ..row.clone() };
    Ok((row, changed))
}

/// Whether a key says what the pool was made as. Defaults of new volumes may change.
fn is_fixed(table: &options::Table, key: &str) -> bool {
    let of_making = |found: options::Found<'_>| {
        found.prefix.is_empty() && found.opt.apply == options::Apply::Create
    };
    [super::ID, super::DISK].contains(&key)
        || key != "source.wipe" && table.find(key).is_some_and(of_making)
}
