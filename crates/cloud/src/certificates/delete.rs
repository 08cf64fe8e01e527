//! Trusts a certificate no more. Requests of its owner that are under way are answered.

use crate::{Caller, Result, World, db::certificates as rows};

/// Forgets it.
pub async fn delete(world: &World, caller: &Caller, fingerprint: &str) -> Result<()> {
    let gone = world
        .store
        .write(|db| {
            let row = super::find(db, fingerprint)?;
            rows::delete(db, row.id)?;
            Ok::<_, crate::Error>(row.fingerprint)
        })
        .await?;
    let address = super::address(&gone);
    world.tell(caller, crate::names::DEFAULT_PROJECT, "certificate-deleted", address);
    Ok(())
}
