//! The size of a volume that is there.

use storage::VolumeId;

use crate::{Error, Result, World, blocking::blocking};

/// Refuses a size that what is in the volume does not fit in: every write would fail from then on.
pub(crate) async fn check_room(
    world: &World,
    (pool, id): (&str, &VolumeId),
    (old, new): (Option<u64>, Option<u64>),
) -> Result<()> {
    let Some(new) = new.filter(|new| old.is_none_or(|old| *new < old)) else { return Ok(()) };
    let (pool, id) = (world.pools.open(world, pool).await?, id.clone());
    let used = blocking("measure volume", move || match pool.info().quotas {
        true => pool.volume_usage(&id),
        false => Ok(None),
    })
    .await?;
    match used {
        Some(used) if used > new => {
            let why = format!("{new} bytes: {used} are in use");
            Err(Error::invalid("size", why))
        }
        _ => Ok(()),
    }
}

/// Gives a volume another size.
pub(crate) async fn resize(
    world: &World,
    pool: &str,
    id: VolumeId,
    size: Option<u64>,
) -> Result<()> {
    let pool = world.pools.open(world, pool).await?;
    blocking("resize volume", move || pool.resize(&id, size)).await
}

/// Gives it back the size it had. What grew and cannot shrink stays so: nothing is lost, and it can be given
/// its size again.
pub(crate) async fn undo(world: &World, pool: &str, id: VolumeId, size: Option<u64>) -> Result<()> {
    match resize(world, pool, id, size).await {
        Err(Error::Storage(storage::Error::Shrink { .. })) => Ok(()),
        done => done,
    }
}
