//! Which member a request belongs to: the one that has the thing it is about, or the one it names.

use std::collections::BTreeMap;

use store::{MemberId, Read};
use uuid::Uuid;

use super::links::{Links, Place};
use crate::{
    Error, Result, World,
    db::{buckets, instances, members, volumes},
    names::DEFAULT_PROJECT,
    storage::is_shared,
};

/// A request's address, taken apart.
pub struct Asked {
    /// Whether it only looks.
    pub looks: bool,
    /// Whether it makes something.
    pub makes: bool,
    /// The parts of its path, decoded.
    pub path: Vec<String>,
    /// What stands behind the `?`.
    pub query: BTreeMap<String, String>,
}

impl Asked {
    fn named(&self, key: &str) -> Option<&str> {
        self.query.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn project(&self) -> &str {
        self.named("project").unwrap_or(DEFAULT_PROJECT)
    }
}

/// The other member that is to answer; none when it is this one.
pub fn whose(world: &World, asked: &Asked) -> Result<Option<Place>> {
    let path: Vec<&str> = asked.path.iter().map(String::as_str).collect();
    if let ["1.0", "operations", id, ..] = path[..] {
        return Ok(other(world, id.parse().ok().and_then(|id| maker(&id))));
    }
    let id = match &path[..] {
        ["1.0", "instances" | "containers" | "virtual-machines", name, ..] => {
            let instance = |db: &Read<'_>| {
                let row = instances::get(db, asked.project(), name)?;
                member_id(db, row.map(|row| row.member))
            };
            world.store.read(instance)?
        }
        ["1.0", "storage-pools", pool, "volumes", kind, name, ..] => match asked.named("target") {
            // On a change of a volume that is to be moved it names where to.
            Some(target) if !asked.makes => Some(named(world, target)?),
            _ => world
                .store
                .read(|db| volume((db, &world.cluster.links), asked, pool, kind, name))?,
        },
        ["1.0", "storage-pools", pool, "buckets", name, ..] => match asked.named("target") {
            Some(target) => Some(named(world, target)?),
            None => world.store.read(|db| bucket(db, asked, pool, name))?,
        },
        ["1.0", "storage-pools", _, "volumes" | "buckets", ..] if asked.makes => {
            target(world, asked)?
        }
        ["1.0", "cluster", "members", name, "state"] => Some(named(world, name)?),
        // LXD's client names the member there too to which a thing goes, while another one moves it.
        ["1.0", "events"] => None,
        // The options that a member has alone.
        ["1.0"] => target(world, asked)?,
        // A change of what one member has of it alone.
        ["1.0", "storage-pools" | "networks", _] if !asked.makes => target(world, asked)?,
        _ if asked.looks => target(world, asked)?,
        _ => None,
    };
    Ok(other(world, id))
}

/// A group says where something is to be made, and some clients name it with everything that they ask beside.
fn target(world: &World, asked: &Asked) -> Result<Option<MemberId>> {
    let member = asked.named("target").filter(|name| !name.starts_with('@'));
    member.map(|name| named(world, name)).transpose()
}

/// The number of the member of that name.
pub(crate) fn named(world: &World, name: &str) -> Result<MemberId> {
    Ok(world.store.read(|db| super::find(db, name))?.id)
}

fn other(world: &World, id: Option<MemberId>) -> Option<Place> {
    let id = id.filter(|id| *id != world.store.status().me)?;
    world.cluster.links.by_id(id)
}

fn member_id(db: &Read<'_>, name: Option<String>) -> Result<Option<MemberId>> {
    let Some(name) = name else { return Ok(None) };
    Ok(members::get(db, &name)?.map(|member| member.id))
}

/// The member with that volume; this one, if it has one of that name.
fn volume(
    (db, links): (&Read<'_>, &Links),
    asked: &Asked,
    pool: &str,
    kind: &str,
    name: &str,
) -> Result<Option<MemberId>> {
    let project = asked.project();
    let found = match kind {
        "custom" => {
            let home = crate::volumes::home(db, project)?;
            volumes::get(db, pool, &home, name)?
        }
        _ => volumes::of_instance(db, project, kind, name)?,
    };
    // Of what members share, each takes the place of one that is off.
    let answers = |member: &String| {
        let silent = links.by_name(member).is_some_and(|place| links.is_silent(place.id));
        let shared = || crate::storage::find(db, pool).is_ok_and(|it| is_shared(&it.driver));
        !(silent && shared())
    };
    member_id(db, found.map(|row| row.member).filter(answers))
}

fn bucket(db: &Read<'_>, asked: &Asked, pool: &str, name: &str) -> Result<Option<MemberId>> {
    let project = crate::projects::find(db, asked.project())?;
    let home = project.home_of("features.storage.buckets");
    let found = buckets::of_pool(db, pool)?.into_iter();
    let mut found: Vec<_> =
        found.filter(|row| row.name == name && row.project == home).map(|row| row.member).collect();
    let me = super::own(db)?.name;
    found.sort_by_key(|member| *member != me);
    member_id(db, found.into_iter().next())
}

/// The member that made an operation: its number is the last two bytes of the operation's.
pub(crate) fn maker(operation: &Uuid) -> Option<MemberId> {
    let bytes = operation.as_bytes();
    let id = u64::from(u16::from_be_bytes([bytes[14], bytes[15]]));
    (id > 0).then_some(id)
}

/// Where a new instance is to be: the member that is named, else of those that take any the best (`Taker::rank`).
pub async fn place_for_instance(
    world: &World,
    wanted: Option<&str>,
    source: Option<(&str, &str)>,
    architecture: &str,
    spread: Option<super::Spread>,
) -> Result<Option<Place>> {
    if !world.is_clustered() {
        return Ok(None);
    }
    let copied = match source {
        Some((project, name)) => world.store.read(|db| {
            let name = name.split('/').next().unwrap_or_default();
            member_id(db, instances::get(db, project, name)?.map(|row| row.member))
        })?,
        None => None,
    };
    let wanted = wanted.filter(|name| !name.is_empty());
    // A copy is made beside its source, and goes on from there.
    if copied.is_some() {
        return Ok(other(world, copied));
    }
    if let Some(name) = wanted.filter(|name| !name.starts_with('@')) {
        return Ok(other(world, Some(named(world, name)?)));
    }
    let group = wanted.and_then(|name| name.strip_prefix('@'));
    let candidates = super::takers::takers(world, group, architecture, spread.as_ref()).await?;
    let me = world.store.status().me;
    let best = candidates.into_iter().min_by_key(|one| (one.rank(), one.id != me, one.id));
    match best {
        Some(best) => Ok(other(world, Some(best.id))),
        None => Err(Error::NoPlace { architecture: architecture.to_owned() }),
    }
}
