//! What a project uses of what it may.

use options::{Raw, Value};
use wire::{ProjectState, ProjectStateResource};

use crate::{Result, World, db::instances as rows, expand};

/// Limit and use of each resource; a limit of -1 is none.
pub fn state(world: &World, name: &str) -> Result<ProjectState> {
    world.store.read(|db| {
        let project = super::find(db, name)?;
        let mut own = rows::all(db)?;
        own.retain(|row| row.project == name);
        let configs = own
            .iter()
            .map(|row| Ok(expand::expand(db, row)?.config))
            .collect::<Result<Vec<Raw>>>()?;
        let of_kind = |kind: &str| own.iter().filter(|row| row.kind == kind).count() as i64;
        let sum = |key: &str| configs.iter().filter_map(|c| number(c.get(key)?)).sum::<i64>();
        let networks = crate::db::networks::all(db)?;
        let networks = networks.iter().filter(|row| row.project == name).count() as i64;
        let usage = [
            ("containers", of_kind("container")),
            ("virtual-machines", of_kind("virtual-machine")),
            ("instances", own.len() as i64),
            ("cpu", sum("limits.cpu")),
            ("memory", sum("limits.memory")),
            ("processes", sum("limits.processes")),
            ("networks", networks),
            ("disk", i64::try_from(super::rules::disk_used(db, name)?).unwrap_or(i64::MAX)),
        ];
        let resources = usage.into_iter().map(|(name, used)| {
            let limit = project.config.get(&format!("limits.{name}")).and_then(number);
            (name.to_owned(), ProjectStateResource { Limit: limit.unwrap_or(-1), Usage: used })
        });
        Ok(ProjectState { resources: resources.collect() })
    })
}

/// A plain number or a size in bytes.
fn number(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| i64::try_from(options::Size::parse(text).ok()?.0).ok())
}
