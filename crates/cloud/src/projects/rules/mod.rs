//! What a project lets be: `restricted.*`, and `limits.*` of all it holds together.
//!
//! Asked at the door, so that what is refused is refused at once, and again in the write that makes it so, as two may
//! ask at the same time. A project is looked at as a whole, as it would be: profiles count, and those who use them.

use std::collections::BTreeSet;

use options::{
    Options, ProjectOptions,
    project::{Access, ProjectLimits, Restricted},
};
use store::Read;

use crate::{
    Error, Result,
    db::{
        instances::{self, Instance},
        projects::Project,
    },
    expand::{self, Expanded},
    instances::{Kind, options::Typed},
};

mod devices;
mod limits;
mod restrictions;

#[cfg(test)]
mod tests;

pub(crate) use self::devices::{Above, allowed_above};

/// The rules of a project that has any.
struct Rules {
    project: Project,
    limits: Option<ProjectLimits>,
    restricted: Option<Restricted>,
}

/// An instance as the rules look at it.
struct Looked {
    id: i64,
    name: String,
    kind: Kind,
    expanded: Expanded,
    typed: Typed,
}

impl Rules {
    /// Most projects have none: then nothing more is read.
    fn of(db: &Read<'_>, project: &str) -> Result<Option<Rules>> {
        let project = super::find(db, project)?;
        let limited = project.config.keys().any(|key| key.starts_with("limits."));
        if !limited && !project.config.has("restricted") {
            return Ok(None);
        }
        let options = ProjectOptions::parse(&project.config)?;
        let restricted = Some(options.restricted).filter(|rules| rules.restricted);
        Ok(Some(Rules { project, limits: limited.then_some(options.limits), restricted }))
    }

    fn refuse(&self, why: String) -> Error {
        Error::NotAllowed { project: self.project.name.clone(), why }
    }

    /// Checks all of the project, with `changed` in the place of what they are now.
    fn check(&self, db: &Read<'_>, changed: Vec<Looked>) -> Result<()> {
        let looked = self.instances(db, changed)?;
        if let Some(rules) = &self.restricted {
            let of_one = |one: &Looked| {
                let why = restrictions::check(rules, one).err()?;
                Some(self.refuse(format!("instance \"{}\": {why}", one.name)))
            };
            looked.iter().find_map(of_one).map_or(Ok(()), Err)?;
        }
        match &self.limits {
            Some(rules) => {
                let held = limits::held(db, &self.project.name, &looked)?;
                limits::check(rules, &held).map_err(|why| self.refuse(why))
            }
            None => Ok(()),
        }
    }

    /// All of the project, with `changed` in the place of what they are now.
    fn instances(&self, db: &Read<'_>, changed: Vec<Looked>) -> Result<Vec<Looked>> {
        let mut looked = Vec::new();
        for row in instances::all(db)? {
            let is_changed = changed.iter().any(|new| new.id == row.id || new.name == row.name);
            if row.project == self.project.name && !is_changed {
                looked.push(look(&row, expand::expand(db, &row)?)?);
            }
        }
        looked.extend(changed);
        Ok(looked)
    }
}

fn look(row: &Instance, expanded: Expanded) -> Result<Looked> {
    let typed = Typed::parse(&expanded)?;
    Ok(Looked { id: row.id, name: row.name.clone(), kind: row.kind(), expanded, typed })
}

/// Fails unless the project may have this instance, new or changed.
///
/// # Errors
/// What is not allowed, or how much would be too much.
pub(crate) fn admit(db: &Read<'_>, instance: &Instance) -> Result<()> {
    match Rules::of(db, &instance.project)? {
        Some(rules) => rules.check(db, vec![look(instance, expand::expand(db, instance)?)?]),
        None => Ok(()),
    }
}

/// Fails unless their projects may have these instances, as they would be with other profiles or devices.
///
/// # Errors
/// As [`admit`].
pub(crate) fn admit_all<'a>(
    db: &Read<'_>,
    changed: impl Iterator<Item = (&'a Instance, &'a Expanded)> + Clone,
) -> Result<()> {
    let projects: BTreeSet<&str> = changed.clone().map(|(row, _)| row.project.as_str()).collect();
    for project in projects {
        if let Some(rules) = Rules::of(db, project)? {
            let own = changed.clone().filter(|(row, _)| row.project == project);
            let looked = own.map(|(row, expanded)| look(row, expanded.clone()));
            rules.check(db, looked.collect::<Result<_>>()?)?;
        }
    }
    Ok(())
}

/// Fails unless the project may be as it is now: after a write, within it.
///
/// # Errors
/// As [`admit`].
pub(crate) fn keep(db: &Read<'_>, project: &str) -> Result<()> {
    match Rules::of(db, project)? {
        Some(rules) => rules.check(db, Vec::new()),
        None => Ok(()),
    }
}

/// Fails where no snapshots can be taken.
pub(crate) fn admit_snapshot(db: &Read<'_>, project: &str) -> Result<()> {
    let why = "restricted.snapshots is block";
    admit_by(db, project, |rules| rules.snapshots == Access::Block, why)
}

/// Fails where no backups can be made.
pub(crate) fn admit_backup(db: &Read<'_>, project: &str) -> Result<()> {
    let why = "restricted.backups is block";
    admit_by(db, project, |rules| rules.backups == Access::Block, why)
}

fn admit_by(
    db: &Read<'_>,
    project: &str,
    blocks: impl Fn(&Restricted) -> bool,
    why: &str,
) -> Result<()> {
    match Rules::of(db, project)? {
        Some(rules) if rules.restricted.as_ref().is_some_and(blocks) => {
            Err(rules.refuse(why.to_owned()))
        }
        _ => Ok(()),
    }
}

/// What is refused in the project, if anything is.
pub(crate) fn restricted(db: &Read<'_>, project: &str) -> Result<Option<Restricted>> {
    Ok(Rules::of(db, project)?.and_then(|rules| rules.restricted))
}

/// Bytes of disk space that count for `limits.disk`; what has no size counts for nothing.
pub(crate) fn disk_used(db: &Read<'_>, project: &str) -> Result<u64> {
    let project = super::find(db, project)?;
    let rules = Rules { project, limits: None, restricted: None };
    let looked = rules.instances(db, Vec::new())?;
    Ok(limits::held(db, &rules.project.name, &looked)?.disk())
}
