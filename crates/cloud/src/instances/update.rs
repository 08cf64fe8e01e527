//! Changes an instance's options, devices, profiles.

use store::Read;
use wire::InstancePut;

use super::{options::Typed, reconfigure::Reconfigure};
use crate::{
    Caller, Error, Result, World,
    db::{self, instances::Instance},
    etag::{self, IfMatch},
    expand, url,
};

/// Changes an instance to what `change` makes of its editable part. Limits and devices apply at
/// once, the rest at the next start; a device that cannot leaves everything as it was.
pub async fn update(
    world: &World,
    caller: &Caller,
    project: &str,
    name: &str,
    seen: IfMatch,
    change: impl Fn(InstancePut) -> Result<InstancePut> + Send + Sync,
) -> Result<()> {
    let running = world.guests.get(project, name).is_some();
    let prepare = |db: &Read<'_>| {
        let old = super::find(db, project, name)?;
        let writable = super::list::writable(&old);
        etag::check(&seen, &writable, "instance", name)?;
        let new = changed(&old, change(writable)?)?;
        check(world, db, (&old, &new), running)?;
        Reconfigure::instance((db, &world.tag), &old, new)
    };
    let wanted = world.store.read(prepare)?;
    let told = wanted.clone();
    if wanted.acts(world)? {
        wanted.check_room(world).await?;
        wanted.run(world, caller, project).await?;
        crate::networks::hosts::tell_of(world, project, name)?;
    } else {
        world.store.write(|db| prepare(db)?.write(db)).await?;
    }
    told.tell_guests(world);
    super::live::apply(world, project, name).await?;
    world.tell(caller, project, "instance-updated", url::instance(project, name));
    Ok(())
}

fn check(
    world: &World,
    db: &Read<'_>,
    (old, new): (&Instance, &Instance),
    running: bool,
) -> Result<()> {
    let home = crate::profiles::home(db, &old.project)?;
    super::check_profiles(db, &home, &new.profiles)?;
    let before = Typed::parse(&expand::expand(db, old)?)?;
    let after = Typed::parse_whole(&expand::expand(db, new)?)?;
    super::spec::check_nodes(&after.options.limits, &world.host)?;
    if running {
        fixed_while_running(&before, &after)?;
    }
    if before.root_pool()? != after.root_pool()? {
        return Err(Error::Unsupported("a move to another pool by changing the root disk"));
    }
    super::check_devices(db, old.kind(), (&old.project, &old.name), &after)
}

fn changed(old: &Instance, put: InstancePut) -> Result<Instance> {
    if !put.restore.is_empty() {
        return Err(Error::invalid("restore", "a snapshot is restored by PUT, with nothing else"));
    }
    Ok(Instance {
        description: put.description,
        config: put.config.into(),
        devices: db::devices_in(put.devices),
        profiles: put.profiles.unwrap_or_else(|| old.profiles.clone()),
        ephemeral: put.ephemeral,
        architecture: Some(put.architecture)
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| old.architecture.clone()),
        ..old.clone()
    })
}

/// Refuses what would make the row say something else than what runs.
fn fixed_while_running(before: &Typed, after: &Typed) -> Result<()> {
    let (old, new) = (&before.options.security, &after.options.security);
    let changed = [
        ("security.privileged", old.privileged != new.privileged),
        ("security.idmap.isolated", old.idmap_isolated != new.idmap_isolated),
        ("security.idmap.base", old.idmap_base != new.idmap_base),
        ("security.idmap.size", old.idmap_size != new.idmap_size),
    ];
    match changed.into_iter().find(|(_, changed)| *changed) {
        Some((key, _)) => {
            Err(Error::invalid("configuration", format!("{key} cannot change while it runs")))
        }
        None => Ok(()),
    }
}
