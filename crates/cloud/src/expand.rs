//! What an instance is with its profiles: later profiles win over earlier ones, its own over all.

use std::collections::HashMap;

use options::{Raw, device::Devices};
use store::Read;

use crate::{
    Result,
    db::{self, instances::Instance, profiles as profile_rows},
};

/// An instance's options and devices, its profiles' beneath its own.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Expanded {
    /// Options.
    pub(crate) config: Raw,
    /// Devices by name.
    pub(crate) devices: Devices,
}

/// Lays an instance over its profiles.
pub(crate) fn expand(db: &Read<'_>, instance: &Instance) -> Result<Expanded> {
    let home = crate::profiles::home(db, &instance.project)?;
    let mut beneath = Vec::new();
    for name in &instance.profiles {
        beneath.extend(profile_rows::get(db, &home, name)?);
    }
    Ok(lay(&beneath, instance))
}

/// The same with profiles that were read before; for lists.
pub(crate) fn lay<'a>(
    profiles: impl IntoIterator<Item = &'a profile_rows::Profile>,
    instance: &Instance,
) -> Expanded {
    let mut all = Expanded::default();
    for profile in profiles {
        all.config.merge(&profile.config);
        all.devices.0.extend(profile.devices.0.clone());
    }
    all.config.merge(&instance.config);
    all.devices.0.extend(instance.devices.0.clone());
    all
}

/// All profiles, read once for many instances.
pub(crate) struct Profiles {
    by_name: HashMap<(String, String), profile_rows::Profile>,
    projects: HashMap<String, db::projects::Project>,
}

impl Profiles {
    pub(crate) fn read(db: &Read<'_>) -> Result<Profiles> {
        let rows = profile_rows::all(db)?;
        let by_name = rows.into_iter().map(|row| ((row.project.clone(), row.name.clone()), row));
        let projects = db::projects::all(db)?.into_iter();
        let projects = projects.map(|project| (project.name.clone(), project)).collect();
        Ok(Profiles { by_name: by_name.collect(), projects })
    }

    pub(crate) fn lay(&self, instance: &Instance) -> Expanded {
        let home = self.projects.get(&instance.project).map(|own| own.home_of("features.profiles"));
        let home = home.unwrap_or_default().to_owned();
        let named = |name: &String| self.by_name.get(&(home.clone(), name.clone()));
        lay(instance.profiles.iter().filter_map(named), instance)
    }
}
