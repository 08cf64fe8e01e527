//! Changes a profile, and with it every instance that has it.

use store::Read;
use wire::ProfilePut;

use crate::{
    Caller, Result, World,
    db::{
        self,
        profiles::{self as rows, Profile},
    },
    etag::{self, IfMatch},
    instances::{self, options::check_shared, reconfigure::Reconfigure},
    networks::hosts,
    url,
    volumes::attach,
};

/// Changes a profile to what `change` makes of its editable part. Instances that run take over limits
/// and devices at once; a device that one of them cannot have leaves all as they were.
pub async fn update(
    world: &World,
    caller: &Caller,
    project: &str,
    name: &str,
    seen: IfMatch,
    change: impl Fn(ProfilePut) -> Result<ProfilePut> + Send + Sync,
) -> Result<()> {
    let prepare = |db: &Read<'_>| {
        let row = super::find(db, project, name)?;
        let old = super::writable(&row);
        etag::check(&seen, &old, "profile", name)?;
        let new = change(old)?;
        let (config, devices) = (new.config.into(), db::devices_in(new.devices));
        check_shared(&config, &devices)?;
        attach::check_no_depots(db, project, &devices)?;
        let new = Profile { description: new.description, config, devices, ..row.clone() };
        // None of its users may be left unable to start.
        Reconfigure::profile((db, &world.tag), row, new)
    };
    let wanted = world.store.read(prepare)?;
    let told = wanted.clone();
    if wanted.acts(world)? {
        wanted.check_room(world).await?;
        wanted.run(world, caller, project).await?;
        hosts::tell_all(world)?;
    } else {
        world.store.write(|db| prepare(db)?.write(db)).await?;
    }
    told.tell_guests(world);
    let (row, users) = world
        .store
        .read(|db| Ok::<_, crate::Error>((super::find(db, project, name)?, rows::users(db)?)))?;
    for (_, project, name) in users.into_iter().filter(|(id, ..)| *id == row.id) {
        instances::live::apply(world, &project, &name).await?;
    }
    let home = row.project;
    world.tell(caller, &home, "profile-updated", url::of("profiles", name, &home));
    Ok(())
}
