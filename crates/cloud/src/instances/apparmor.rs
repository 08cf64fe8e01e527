//! The AppArmor profile of an instance, where the kernel has AppArmor.

use std::path::PathBuf;

use runtime::apparmor::{self, Features, Profile};

use super::{Kind, options::Typed};
use crate::{Result, World, blocking::blocking};

/// Loads an instance's profile and gives the label its processes get; `None` without AppArmor.
pub(super) async fn load(
    world: &World,
    id: &str,
    kind: Kind,
    typed: &Typed,
) -> Result<Option<String>> {
    if !world.host.apparmor {
        return Ok(None);
    }
    let (folder, name) = (folder(world), apparmor::profile_name(&world.tag, id));
    let security = &typed.options.security;
    let machine = kind == Kind::VirtualMachine;
    let (privileged, nesting) = (security.privileged, security.nesting);
    let extra = typed.options.overrides.apparmor.clone().unwrap_or_default();
    blocking("load AppArmor profile", move || {
        let features = Features::probe();
        let stacked = features.stacking && !privileged && !machine;
        let (name, extra) = (name.as_str(), extra.as_str());
        let profile = Profile { name, machine, privileged, nesting, stacked, features, extra };
        apparmor::load(&folder, &profile)?;
        Ok::<_, apparmor::Error>(Some(apparmor::label(name, stacked)))
    })
    .await
}

/// Takes an instance's profile away; nothing there is Ok.
pub(super) async fn unload(world: &World, id: &str) -> Result<()> {
    if !world.host.apparmor {
        return Ok(());
    }
    let (folder, name) = (folder(world), apparmor::profile_name(&world.tag, id));
    blocking("unload AppArmor profile", move || apparmor::unload(&folder, &name)).await
}

fn folder(world: &World) -> PathBuf {
    world.dirs.root().join("apparmor")
}
