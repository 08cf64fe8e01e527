//! Which member has a volume of a pool that members share: the one that uses it. Its files can be mounted by one at a time.

use super::{Key, Uses, typed, users::User};
use crate::{
    Error, Result, World,
    db::{
        instances as rows,
        volumes::{self, Volume},
    },
    instances::volatile,
};

/// Makes a volume this member's that is about to be used here, where it may be any member's.
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
            return Ok(());
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
        Ok::<_, Error>(volumes::set_member(db, row.id, me.id)?)
    });
    taken.await
}
