//! Renames a project.

use crate::{Caller, Error, Result, World, db::projects as rows, names::DEFAULT_PROJECT, url};

/// Renames a project that holds nothing: what is on disk carries its name.
pub async fn rename(world: &World, caller: &Caller, name: &str, to: &str) -> Result<()> {
    options::names::check_project(to).map_err(|why| Error::invalid("project name", why))?;
    super::fixed(name, "renamed")?;
    world
        .store
        .write(|db| {
            let row = super::find(db, name)?;
            if rows::get(db, to)?.is_some() {
                return Err(Error::exists("project", to));
            }
            if !super::is_empty(db, name)? {
                let by = String::from("what it holds");
                return Err(Error::InUse { what: "project", name: name.to_owned(), by });
            }
            Ok(rows::rename(db, row.id, to)?)
        })
        .await?;
    world.tell(caller, to, "project-renamed", url::of("projects", to, DEFAULT_PROJECT));
    Ok(())
}
