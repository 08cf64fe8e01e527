//! What opens encrypted pools. A passphrase goes from the request to the disk: it is in no task, whose input is
//! journaled, and in no message.

use std::sync::Arc;

use storage::Secret;

use super::find;
use crate::{Error, Result, World, blocking::blocking, reconcile};

/// Opens a pool with its passphrase, and starts what waited for it.
pub async fn unlock(world: &Arc<World>, name: &str, passphrase: &str) -> Result<()> {
    let row = world.store.read(|db| find(db, name))?;
    {
        let _turn = world.pools.turn(world, name).await;
        let (driver, spec) = (super::driver(&row.driver)?, super::spec(world, &row)?);
        let passphrase = passphrase.to_owned();
        let unlocked = move || Ok::<_, Error>(driver.unlock(&spec, passphrase.as_bytes())?);
        blocking("unlock pool", unlocked).await?;
    }
    world.pools.open(world, name).await?;
    world.retry_stuck().await?;
    reconcile::start_waiting(world).await;
    Ok(())
}

/// Gives a pool another key in the place of the one it has: `new`, or one in a file where that is empty.
pub async fn rekey(world: &World, name: &str, now: &str, new: &str) -> Result<()> {
    let claim = [tasks::Claim::alone(format!("pool/{name}"))];
    let _alone = world.locks().lock(&claim, "a change of the pool's key").await;
    let row = world.store.read(|db| find(db, name))?;
    let _turn = world.pools.turn(world, name).await;
    let (driver, spec) = (super::driver(&row.driver)?, super::spec(world, &row)?);
    let (now, new) = (now.to_owned(), new.to_owned());
    blocking("change key of pool", move || {
        let now = (!now.is_empty()).then_some(now.as_bytes());
        let new = if new.is_empty() { Secret::File } else { Secret::Passphrase(new.as_bytes()) };
        Ok::<_, Error>(driver.rekey(&spec, now, new)?)
    })
    .await
}
