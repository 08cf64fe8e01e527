//! Changes a profile, and with it every instance that has it.

use wire::ProfilePut;

use crate::{
    Caller, Result, World,
    db::{self, profiles as rows},
    etag::{self, IfMatch},
    expand,
    instances::{
        self,
        options::{Typed, check_shared},
    },
    url,
};

/// Changes a profile to what `change` makes of its editable part. Running instances take over what
/// applies live.
pub async fn update(
    world: &World,
    caller: &Caller,
    project: &str,
    name: &str,
    seen: IfMatch,
    change: impl Fn(ProfilePut) -> Result<ProfilePut> + Send,
) -> Result<()> {
    let (home, users) = world
        .store
        .write(|db| {
            let row = super::find(db, project, name)?;
            let old = super::writable(&row);
            etag::check(&seen, &old, "profile", name)?;
            let new = change(old)?;
            let (config, devices) = (new.config.into(), db::devices_in(new.devices));
            check_shared(&config, &devices)?;
            rows::update(db, row.id, &new.description, &config, &devices)?;
            let mut users = rows::users(db)?;
            users.retain(|(id, ..)| *id == row.id);
            for (_, project, name) in &users {
                // None of them may be left unable to start.
                let instance = instances::find(db, project, name)?;
                Typed::parse_whole(&expand::expand(db, &instance)?)?;
            }
            Ok::<_, crate::Error>((row.project, users))
        })
        .await?;
    for (_, project, name) in users {
        instances::live::apply(world, &project, &name).await?;
    }
    world.tell(caller, &home, "profile-updated", url::of("profiles", name, &home));
    Ok(())
}
