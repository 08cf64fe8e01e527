//! Profiles: configuration and devices that instances share.
//!
//! A profile lives in the home of `features.profiles` of its project: the project itself or
//! `default`. The profile `default` is always there.

use store::Read;
use wire::{Profile, ProfilePut};

use crate::{
    Error, Result, World,
    db::{self, profiles as rows},
    url,
};

mod create;
mod delete;
mod rename;
mod update;

pub use self::{create::create, delete::delete, rename::rename, update::update};

/// The profile every instance has when none is named.
pub const DEFAULT: &str = "default";

/// Every profile of a project, or of all.
pub fn list(world: &World, project: Option<&str>) -> Result<Vec<Profile>> {
    world.store.read(|db| {
        let home = project.map(|name| home(db, name)).transpose()?;
        let found = rows::all(db)?;
        let users = rows::users(db)?;
        let wanted =
            found.into_iter().filter(|row| home.as_ref().is_none_or(|h| *h == row.project));
        Ok(wanted.map(|row| render(row, &users)).collect())
    })
}

/// One profile.
pub fn get(world: &World, project: &str, name: &str) -> Result<Profile> {
    world.store.read(|db| {
        let row = find(db, project, name)?;
        Ok(render(row, &rows::users(db)?))
    })
}

/// The project in which profiles of `project` live.
pub(crate) fn home(db: &Read<'_>, project: &str) -> Result<String> {
    Ok(crate::projects::find(db, project)?.home_of("features.profiles").to_owned())
}

pub(crate) fn find(db: &Read<'_>, project: &str, name: &str) -> Result<rows::Profile> {
    rows::get(db, &home(db, project)?, name)?.ok_or_else(|| Error::not_found("profile", name))
}

fn render(row: rows::Profile, users: &[(i64, String, String)]) -> Profile {
    let used_by = users.iter().filter(|(id, ..)| *id == row.id);
    Profile {
        used_by: used_by.map(|(_, project, name)| url::instance(project, name)).collect(),
        name: row.name,
        description: row.description,
        config: row.config.0,
        devices: db::devices_out(row.devices),
        project: row.project,
    }
}

fn writable(row: &rows::Profile) -> ProfilePut {
    ProfilePut {
        config: row.config.0.clone(),
        description: row.description.clone(),
        devices: db::devices_out(row.devices.clone()),
    }
}
