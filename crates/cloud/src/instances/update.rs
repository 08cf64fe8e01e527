//! Changes an instance's options, devices, profiles.

use wire::InstancePut;

use super::{options::Typed, volatile};
use crate::{
    Caller, Error, Result, World,
    db::{
        self,
        instances::{self as rows, Instance},
    },
    etag::{self, IfMatch},
    expand, url,
};

/// Changes an instance to what `change` makes of its editable part. What applies live does so at
/// once, the rest at the next start.
pub async fn update(
    world: &World,
    caller: &Caller,
    project: &str,
    name: &str,
    seen: IfMatch,
    change: impl Fn(InstancePut) -> Result<InstancePut> + Send,
) -> Result<()> {
    let running = world.guests.get(project, name).is_some();
    world
        .store
        .write(|db| {
            let old = super::find(db, project, name)?;
            let writable = super::list::writable(&old);
            etag::check(&seen, &writable, "instance", name)?;
            let mut new = changed(&old, change(writable)?)?;
            let home = crate::profiles::home(db, project)?;
            super::check_profiles(db, &home, &new.profiles)?;
            let before = Typed::parse(&expand::expand(db, &old)?)?;
            let typed = Typed::parse_whole(&expand::expand(db, &new)?)?;
            if running {
                fixed_while_running(&before, &typed)?;
            }
            if before.root_pool()? != typed.root_pool()? {
                return Err(Error::Unsupported("a move to another pool by changing the root disk"));
            }
            super::check_networks(db, project, name, &typed)?;
            volatile::prune(&mut new.config, &typed.devices);
            volatile::complete(&mut new.config, &typed.devices);
            Ok(rows::update(db, &new, &home)?)
        })
        .await?;
    super::live::apply(world, project, name).await?;
    world.tell(caller, project, "instance-updated", url::instance(project, name));
    Ok(())
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
