//! Makes a profile.

use wire::ProfilesPost;

use crate::{
    Caller, Error, Result, World,
    db::{self, profiles as rows},
    instances::options::check_shared,
    url,
    volumes::attach,
};

/// Makes a profile; fails when the name is taken or an option is wrong.
pub async fn create(
    world: &World,
    caller: &Caller,
    project: &str,
    new: ProfilesPost,
) -> Result<()> {
    options::names::check_profile(&new.name).map_err(|why| Error::invalid("profile name", why))?;
    let (config, devices) = (new.config.into(), db::devices_in(new.devices));
    check_shared(&config, &devices)?;
    let home = world
        .store
        .write(|db| {
            let home = super::home(db, project)?;
            if rows::get(db, &home, &new.name)?.is_some() {
                return Err(Error::exists("profile", &new.name));
            }
            attach::check_no_depots(db, project, &devices)?;
            rows::insert(db, &home, &new.name, &new.description, &config, &devices)?;
            Ok(home)
        })
        .await?;
    world.tell(caller, &home, "profile-created", url::of("profiles", &new.name, &home));
    Ok(())
}
