//! Lets a running instance take over what changed in its options, as far as that goes live.

use super::{options::Typed, spec};
use crate::{Error, Result, World, blocking::blocking, db::instances as rows, expand, names};

/// Applies limits to a running instance; one that is stopped takes them at its next start.
pub(crate) async fn apply(world: &World, project: &str, name: &str) -> Result<()> {
    let Some(guest) = world.guests.get(project, name) else { return Ok(()) };
    let expanded = world.store.read(|db| {
        let Some(row) = rows::get(db, project, name)? else { return Ok(None) };
        Ok::<_, Error>(Some(expand::expand(db, &row)?))
    })?;
    let Some(expanded) = expanded else { return Ok(()) };
    let typed = Typed::parse(&expanded)?;
    crate::devlxd::apply(world, &guest, typed.options.security.devlxd);
    if guest.spec().machine {
        // They were changed before its row was written.
        return Ok(());
    }
    let id = names::instance_id(project, name);
    let limits = spec::limits(&typed.options.limits, &world.host, &id);
    match blocking("set limits", move || guest.monitor().set_limits(&limits)).await {
        // It ended meanwhile.
        Err(Error::Runtime(runtime::Error::Gone)) => Ok(()),
        result => result,
    }
}
