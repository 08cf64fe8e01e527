//! Renames a profile.

use crate::{Caller, Error, Result, World, db::profiles as rows, url};

/// Renames a profile; instances keep it.
pub async fn rename(
    world: &World,
    caller: &Caller,
    project: &str,
    name: &str,
    to: &str,
) -> Result<()> {
    options::names::check_profile(to).map_err(|why| Error::invalid("profile name", why))?;
    if name == super::DEFAULT {
        return Err(Error::Fixed { what: "profile", name: name.to_owned(), verb: "renamed" });
    }
    let home = world
        .store
        .write(|db| {
            let row = super::find(db, project, name)?;
            if rows::get(db, &row.project, to)?.is_some() {
                return Err(Error::exists("profile", to));
            }
            rows::rename(db, row.id, to)?;
            Ok(row.project)
        })
        .await?;
    world.tell(caller, &home, "profile-renamed", url::of("profiles", to, &home));
    Ok(())
}
