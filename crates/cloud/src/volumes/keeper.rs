//! Which member has a volume of a pool that members share: the one that uses it. Its files can be mounted by one at a time.

use storage::VolumeId;

use super::{Key, Uses, typed, users::User};
use crate::{
    Error, Result, World,
    blocking::blocking,
    cluster::{ORIGIN, lease},
    db::{
        instances::{self as rows, Instance},
        volumes::{self, Volume},
    },
    instances::volatile,
};

/// Makes a volume this member's that is about to be used here, where it may be any member's. One that is fenced writes to
/// it no more.
///
/// # Errors
/// An instance that another member runs uses it.
pub(crate) async fn take(world: &World, key: &Key, row: &Volume) -> Result<()> {
    if row.member == world.me() || typed(&row.config)?.security_shared {
        return Ok(());
    }
    let taken = world.store.write(|db| {
        let (row, me) = (key.find(db)?, crate::cluster::own(db)?);
        let driver = crate::storage::find(db, &key.pool)?.driver;
        if row.member == me.name || !crate::storage::is_shared(&driver) {
            return Ok(false);
        }
        let uses = Uses::read(db)?;
        for user in uses.of(key) {
            let User::Instance { project, name } = user else { continue };
            let Some(user) = rows::get(db, project, name)? else { continue };
            if user.member != me.name && volatile::was_running(&user.config) {
                let by = format!("instance {project}/{name}, which runs on member {}", user.member);
                let (what, name) = ("storage volume", key.name.clone());
                return Err(Error::InUse { what, name, by });
            }
        }
        volumes::set_member(db, row.id, me.id)?;
        lease::is_fenced(db, &row.member)
    });
    match taken.await? {
        true => shut_out(world, &key.pool, key.on_disk()?).await,
        false => Ok(()),
    }
}

/// Has whoever had an instance before it was healed, and may not know it, write no more to its root.
pub(crate) async fn take_root(world: &World, pool: &str, instance: &Instance) -> Result<()> {
    let Some(origin) = instance.config.get(ORIGIN).filter(|origin| *origin != world.me()) else {
        return Ok(());
    };
    match world.store.read(|db| lease::is_fenced(db, origin))? {
        true => shut_out(world, pool, instance.root()?).await,
        false => Ok(()),
    }
}

async fn shut_out(world: &World, pool: &str, id: VolumeId) -> Result<()> {
    let pool = world.pools.open(world, pool).await?;
    blocking("shut out another member", move || Ok::<_, Error>(pool.shut_out(&id)?)).await
}
