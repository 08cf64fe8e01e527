//! Deletes a project.

use crate::{Caller, Error, Result, World, db::projects as rows, names::DEFAULT_PROJECT, url};

/// Deletes a project that holds nothing.
pub async fn delete(world: &World, caller: &Caller, name: &str) -> Result<()> {
    super::fixed(name, "deleted")?;
    world
        .store
        .write(|db| {
            let row = super::find(db, name)?;
            if !super::is_empty(db, name)? {
                let by = String::from("what it holds");
                return Err(Error::InUse { what: "project", name: name.to_owned(), by });
            }
            Ok(rows::delete(db, row.id)?)
        })
        .await?;
    world.tell(caller, name, "project-deleted", url::of("projects", name, DEFAULT_PROJECT));
    Ok(())
}
