//! Projects: the name spaces that separate users.
//!
//! The project `default` is always there. With a `features.*` key off, a project shares that kind
//! of thing with `default`.

use options::Raw;
use store::Read;
use wire::{Project, ProjectPut};

use crate::{
    Error, Result, World,
    db::{buckets, images, instances, networks, profiles, projects as rows, volumes},
    names::DEFAULT_PROJECT,
    url,
};

mod create;
mod delete;
mod rename;
pub(crate) mod rules;
mod state;
mod update;

pub use self::{create::create, delete::delete, rename::rename, state::state, update::update};

/// What a new project has of its own unless told otherwise.
const OWN_BY_DEFAULT: [&str; 4] = [
    "features.images",
    "features.profiles",
    "features.storage.buckets",
    "features.storage.volumes",
];

/// Every project.
pub fn list(world: &World) -> Result<Vec<Project>> {
    world.store.read(|db| {
        let users = users(db)?;
        Ok(rows::all(db)?.into_iter().map(|row| render(row, &users)).collect())
    })
}

/// One project.
pub fn get(world: &World, name: &str) -> Result<Project> {
    world.store.read(|db| Ok(render(find(db, name)?, &users(db)?)))
}

pub(crate) fn find(db: &Read<'_>, name: &str) -> Result<rows::Project> {
    rows::get(db, name)?.ok_or_else(|| Error::not_found("project", name))
}

/// What is in which project: (project, address).
fn users(db: &Read<'_>) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for row in instances::all(db)? {
        found.push((row.project.clone(), url::instance(&row.project, &row.name)));
    }
    for row in images::all(db)? {
        found.push((row.project.clone(), url::of("images", &row.fingerprint, &row.project)));
    }
    for row in networks::all(db)? {
        found.push((row.project.clone(), url::of("networks", &row.name, &row.project)));
    }
    for row in buckets::all(db)? {
        let address = crate::storage::buckets::address(&row.pool, &row.project, &row.name);
        found.push((row.project, address));
    }
    for row in volumes::custom(db)? {
        found.push((row.project.clone(), crate::volumes::key_of(&row).url()));
    }
    for row in profiles::all(db)? {
        found.push((row.project.clone(), url::of("profiles", &row.name, &row.project)));
    }
    Ok(found)
}

fn render(row: rows::Project, users: &[(String, String)]) -> Project {
    let used_by = users.iter().filter(|(project, _)| *project == row.name);
    Project {
        used_by: used_by.map(|(_, url)| url.clone()).collect(),
        name: row.name,
        description: row.description,
        config: row.config.0,
    }
}

fn writable(row: &rows::Project) -> ProjectPut {
    ProjectPut { config: row.config.0.clone(), description: row.description.clone() }
}

fn check_options(config: &Raw) -> Result<()> {
    <options::ProjectOptions as options::Options>::parse(config).map_err(Error::Options)?;
    Ok(())
}

/// Whether the project holds nothing but its own profile `default`.
fn is_empty(db: &Read<'_>, name: &str) -> Result<bool> {
    let own = url::of("profiles", crate::profiles::DEFAULT, name);
    Ok(users(db)?.iter().all(|(project, url)| project != name || *url == own))
}

fn fixed(name: &str, verb: &'static str) -> Result<()> {
    if name == DEFAULT_PROJECT {
        return Err(Error::Fixed { what: "project", name: name.to_owned(), verb });
    }
    Ok(())
}
