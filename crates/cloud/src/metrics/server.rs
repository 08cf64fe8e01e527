//! What the server does.

use std::collections::BTreeMap;

use super::text::Text;
use crate::{
    Error, Result, World,
    db::{
        instances::{self as rows, Made},
        projects,
    },
    instances::Kind,
};

/// How many instances each project has, whether they run or not.
pub(super) fn count_instances(
    world: &World,
    text: &mut Text,
    seen: impl Fn(&str) -> bool,
) -> Result<()> {
    let (projects, all) =
        world.store.read(|db| Ok::<_, Error>((projects::all(db)?, rows::all(db)?)))?;
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for project in projects.iter().filter(|project| seen(&project.name)) {
        for kind in ["container", "virtual-machine"] {
            counts.insert((&project.name, kind), 0);
        }
    }
    for row in all.iter().filter(|row| row.made == Made::Ready) {
        let kind = if row.kind() == Kind::Container { "container" } else { "virtual-machine" };
        if let Some(count) = counts.get_mut(&(row.project.as_str(), kind)) {
            *count += 1;
        }
    }
    for ((project, kind), count) in counts {
        text.add("lxd_instances", &[("project", project), ("type", kind)], count);
    }
    Ok(())
}

/// The rest.
pub(super) fn tell(world: &World, text: &mut Text) -> Result<()> {
    text.add("lxd_operations_total", &[], world.operations.running() as u64);
    text.add("lxd_warnings_total", &[], crate::warnings::open(world)? as u64);
    text.decimal("lxd_uptime_seconds", &[], world.began.elapsed().as_millis(), 3);
    world.requests.tell(text);
    Ok(())
}
