//! Deletes a profile.

use crate::{Caller, Error, Result, World, db::profiles as rows, url};

/// Deletes a profile that no instance has.
pub async fn delete(world: &World, caller: &Caller, project: &str, name: &str) -> Result<()> {
    if name == super::DEFAULT {
        return Err(Error::Fixed { what: "profile", name: name.to_owned(), verb: "deleted" });
    }
    let home = world
        .store
        .write(|db| {
            let row = super::find(db, project, name)?;
            if let Some((_, _, by)) = rows::users(db)?.into_iter().find(|(id, ..)| *id == row.id) {
                let by = format!("instance \"{by}\"");
                return Err(Error::InUse { what: "profile", name: name.to_owned(), by });
            }
            rows::delete(db, row.id)?;
            Ok(row.project)
        })
        .await?;
    world.tell(caller, &home, "profile-deleted", url::of("profiles", name, &home));
    Ok(())
}
