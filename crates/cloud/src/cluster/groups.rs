//! Groups of members: where instances are put with `@group`, and what a project can be held to. Each member is
//! always in at least one, a new one in `default`.

use std::collections::BTreeSet;

use options::{Options, ProjectOptions, Raw};
use store::{Read, Write};
use wire::{ClusterGroup, ClusterGroupPut, ClusterGroupsPost};

use super::clustered;
use crate::{
    Caller, Error, Result, World,
    db::{
        cluster_groups::{self as rows, Group},
        projects,
    },
    etag::{self, IfMatch},
    names::DEFAULT_PROJECT,
    url,
};

/// The group that is always there.
const DEFAULT: &str = "default";
/// As errors call one.
const NOUN: &str = "cluster group";

/// Every group.
pub fn list(world: &World) -> Result<Vec<ClusterGroup>> {
    clustered(world)?;
    let found = world.store.read(|db| Ok::<_, Error>(rows::all(db)?))?;
    Ok(found.into_iter().map(render).collect())
}

/// One group.
pub fn get(world: &World, name: &str) -> Result<ClusterGroup> {
    clustered(world)?;
    Ok(render(world.store.read(|db| find(db, name))?))
}

/// Makes a group.
pub async fn create(world: &World, caller: &Caller, post: &ClusterGroupsPost) -> Result<()> {
    clustered(world)?;
    check_name(&post.name)?;
    world
        .store
        .write(|db| {
            free(db, &post.name)?;
            rows::insert(db, &post.name, &post.description)?;
            let made = find(db, &post.name)?;
            set_members(db, &made, &post.members)
        })
        .await?;
    tell(world, caller, "created", &post.name);
    Ok(())
}

/// Changes a group to what `change` makes of it.
pub async fn update(
    world: &World,
    caller: &Caller,
    name: &str,
    seen: IfMatch,
    change: impl Fn(ClusterGroupPut) -> Result<ClusterGroupPut> + Send + Sync,
) -> Result<()> {
    clustered(world)?;
    world
        .store
        .write(|db| {
            let row = find(db, name)?;
            let before = render(row.clone()).writable();
            etag::check(&seen, &before, NOUN, name)?;
            let after = change(before)?;
            rows::describe(db, row.id, &after.description)?;
            set_members(db, &row, &after.members)
        })
        .await?;
    tell(world, caller, "updated", name);
    Ok(())
}

/// Gives a group another name. Projects name the groups that they are held to, so one of those keeps its name.
pub async fn rename(world: &World, caller: &Caller, name: &str, to: &str) -> Result<()> {
    clustered(world)?;
    check_name(to)?;
    world
        .store
        .write(|db| {
            let row = changeable(db, name, "renamed")?;
            free(db, to)?;
            Ok::<_, Error>(rows::rename(db, row.id, to)?)
        })
        .await?;
    tell(world, caller, "renamed", to);
    Ok(())
}

/// Deletes a group that nobody is in.
pub async fn delete(world: &World, caller: &Caller, name: &str) -> Result<()> {
    clustered(world)?;
    world
        .store
        .write(|db| {
            let row = changeable(db, name, "deleted")?;
            if let Some(member) = row.members.first() {
                return Err(in_use(name, format!("member \"{member}\"")));
            }
            Ok(rows::delete(db, row.id)?)
        })
        .await?;
    tell(world, caller, "deleted", name);
    Ok(())
}

/// Fails unless there are the groups that a project is held to.
pub(crate) fn check_named(db: &Read<'_>, project: &Raw) -> Result<()> {
    named_by(project)?.iter().try_for_each(|name| find(db, name).map(drop))
}

/// The groups that a project is held to, by its options.
fn named_by(project: &Raw) -> Result<Vec<String>> {
    let groups = ProjectOptions::parse(project)?.restricted.cluster_groups;
    Ok(groups.map(|named| named.0).unwrap_or_default())
}

fn check_name(name: &str) -> Result<()> {
    options::names::check_group(name).map_err(|why| Error::invalid("cluster group name", why))
}

pub(super) fn find(db: &Read<'_>, name: &str) -> Result<Group> {
    rows::get(db, name)?.ok_or_else(|| Error::not_found(NOUN, name))
}

fn free(db: &Read<'_>, name: &str) -> Result<()> {
    match rows::get(db, name)? {
        Some(_) => Err(Error::exists(NOUN, name)),
        None => Ok(()),
    }
}

/// A group that is not always there, and that no project names.
fn changeable(db: &Read<'_>, name: &str, verb: &'static str) -> Result<Group> {
    let row = find(db, name)?;
    if name == DEFAULT {
        return Err(Error::Fixed { what: NOUN, name: name.to_owned(), verb });
    }
    for project in projects::all(db)? {
        if named_by(&project.config)?.iter().any(|group| group == name) {
            return Err(in_use(name, format!("project \"{}\"", project.name)));
        }
    }
    Ok(row)
}

fn in_use(name: &str, by: String) -> Error {
    Error::InUse { what: NOUN, name: name.to_owned(), by }
}

/// Fails where a member would be in no group.
fn set_members(db: &mut Write<'_>, group: &Group, names: &[String]) -> Result<()> {
    let ids = names.iter().map(|name| Ok(super::find(db, name)?.id));
    let ids = ids.collect::<Result<BTreeSet<_>>>()?;
    rows::set_members(db, group.id, &ids)?;
    match rows::nowhere(db)? {
        Some(member) => {
            let why = format!("\"{member}\" would be in no group: add it to another one first");
            Err(Error::invalid("members", why))
        }
        None => Ok(()),
    }
}

fn render(row: Group) -> ClusterGroup {
    ClusterGroup { name: row.name, description: row.description, members: row.members }
}

fn tell(world: &World, caller: &Caller, verb: &str, name: &str) {
    let source = url::of("cluster/groups", name, DEFAULT_PROJECT);
    world.tell(caller, DEFAULT_PROJECT, &format!("cluster-group-{verb}"), source);
}
