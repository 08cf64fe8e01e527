//! Which members the instances of a project may be on: `restricted.cluster.groups`, and who may choose one by
//! `restricted.cluster.target`.

use options::project::{Access, Restricted};
use store::Read;

use super::links::Place;
use crate::{
    Caller, Error, Result, World,
    access::Rights,
    db::{cluster_groups, members::Part},
    projects::rules,
};

/// Where a new instance of a project is to be, given what was asked for: a member, or groups (`@a,b`). What the
/// project does not allow is refused; where nothing was asked for, it is held to its groups.
pub fn allowed_target(
    world: &World,
    caller: &Caller,
    project: &str,
    wanted: Option<&str>,
) -> Result<Option<String>> {
    let wanted = wanted.filter(|target| !target.is_empty());
    world.store.read(|db| {
        if let Some(name) = wanted.filter(|name| world.is_clustered() && !name.starts_with('@'))
            && super::find(db, name)?.part == Part::Witness
        {
            let why = format!("\"{name}\" is a witness: it votes, and has no instances");
            return Err(Error::invalid("target", why));
        }
        let Some(rules) = rules::restricted(db, project)? else {
            return Ok(wanted.map(str::to_owned));
        };
        let Some(target) = wanted else {
            return Ok(rules.cluster_groups.map(|groups| format!("@{}", groups.0.join(","))));
        };
        let refused = |why| Error::NotAllowed { project: project.to_owned(), why };
        // Whoever may do everything could allow it to himself.
        if rules.cluster_target == Access::Block && caller.rights != Rights::Everything {
            return Err(refused(String::from("restricted.cluster.target is block")));
        }
        within(db, &rules, target)?.map_or(Ok(Some(target.to_owned())), |why| Err(refused(why)))
    })
}

/// Fails unless instances of a project may be on a member; on this one, where none is given.
pub fn check_place(world: &World, project: &str, place: Option<&Place>) -> Result<()> {
    let member = place.map_or_else(|| world.me(), |place| place.name.clone());
    world.store.read(|db| {
        let Some(rules) = rules::restricted(db, project)? else { return Ok(()) };
        match within(db, &rules, &member)? {
            Some(why) => Err(Error::NotAllowed { project: project.to_owned(), why }),
            None => Ok(()),
        }
    })
}

/// Why a target is in none of the groups that a project is held to, if it is in none.
fn within(db: &Read<'_>, rules: &Restricted, target: &str) -> Result<Option<String>> {
    let Some(allowed) = &rules.cluster_groups else { return Ok(None) };
    let is_allowed = |group: &str| allowed.0.iter().any(|one| one == group);
    let inside = match target.strip_prefix('@') {
        Some(groups) => groups.split(',').all(is_allowed),
        None => {
            let member = super::find(db, target)?;
            let groups = cluster_groups::of_member(db, member.id)?;
            groups.iter().any(|group| is_allowed(group))
        }
    };
    let named = allowed.0.join(", ");
    Ok((!inside).then(|| format!("\"{target}\" is not in restricted.cluster.groups: {named}")))
}
