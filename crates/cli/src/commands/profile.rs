//! `profile`.

use wire::{
    ConfigMap, DevicesMap, Profile as Shown, ProfilePost, ProfilePut, ProfilesPost,
    endpoints::profiles::{
        ProfileCreate, ProfileDelete, ProfileGet, ProfileRename, ProfileReplace, ProfilesList,
    },
    query::ProjectQuery,
};

use super::{OK, config::Instances, device::Device};
use crate::{
    context::Context,
    error::Result,
    output::{FormatArg, Table},
    pairs,
    thing::{self, Thing},
    verbs::{Named, Verbs},
};

/// Profiles.
#[derive(Debug, clap::Args)]
pub(crate) struct Profile {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List profiles
    #[command(visible_alias = "ls")]
    List(FormatArg),
    #[command(flatten)]
    Common(Verbs),
    /// Make a profile
    Create {
        /// Profile
        name: String,
        /// Its options
        #[arg(value_name = "KEY=VALUE")]
        options: Vec<String>,
        /// Description
        #[arg(long, default_value = "")]
        description: String,
    },
    /// Rename a profile
    Rename {
        /// Its name now
        name: String,
        /// Its new name
        new_name: String,
    },
    /// Copy a profile
    Copy {
        /// Profile
        name: String,
        /// Name of the copy
        new_name: String,
    },
    /// Devices of a profile
    #[command(subcommand)]
    Device(Device),
    /// Put a profile under an instance
    Add {
        /// Instance
        instance: String,
        /// Profile
        profile: String,
    },
    /// Take a profile from under an instance
    Remove {
        /// Instance
        instance: String,
        /// Profile
        profile: String,
    },
    /// Put just these profiles under an instance
    Assign {
        /// Instance
        instance: String,
        /// Profiles, parted by commas
        profiles: String,
    },
}

impl Profile {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        match self.verb {
            Verb::List(format) => {
                let all = cx.client.get::<ProfilesList>(&[], &cx.list()).await?.into_full();
                format.print(&all, table)?;
            }
            Verb::Create { name, options, description } => {
                let config = pairs::map(&options)?;
                create(cx, ProfilesPost { name, config, description, devices: DevicesMap::new() })
                    .await?;
            }
            Verb::Common(verbs) => verbs.run::<Profiles>(cx).await?,
            Verb::Rename { name, new_name } => {
                let request = ProfilePost { name: new_name };
                cx.client.call::<ProfileRename>(&[&name], &cx.query(), &request).await?;
            }
            Verb::Copy { name, new_name } => {
                let from = Profiles::load(cx, &name).await?.reply;
                let Shown { description, config, devices, .. } = from;
                create(cx, ProfilesPost { name: new_name, description, config, devices }).await?;
            }
            Verb::Device(device) => return device.run::<Profiles>(cx).await,
            Verb::Add { instance, profile } => {
                assign(cx, &instance, |profiles| {
                    profiles.push(profile);
                    Ok(())
                })
                .await?;
            }
            Verb::Remove { instance, profile } => {
                assign(cx, &instance, |profiles| {
                    let at = profiles.iter().position(|name| *name == profile);
                    let at = at.ok_or_else(|| {
                        thing::absent::<Instances>(&instance, "profile", &profile)
                    })?;
                    profiles.remove(at);
                    Ok(())
                })
                .await?;
            }
            Verb::Assign { instance, profiles: names } => {
                assign(cx, &instance, |profiles| {
                    *profiles = names
                        .split(',')
                        .filter(|name| !name.is_empty())
                        .map(str::to_owned)
                        .collect();
                    Ok(())
                })
                .await?;
            }
        }
        Ok(OK)
    }
}

async fn create(cx: &Context, request: ProfilesPost) -> Result<()> {
    cx.client.call::<ProfileCreate>(&[], &cx.query(), &request).await?;
    cx.say(format!("Profile {} created", request.name));
    Ok(())
}

/// Changes the profiles of an instance.
async fn assign(
    cx: &Context,
    instance: &str,
    with: impl FnOnce(&mut Vec<String>) -> Result<()>,
) -> Result<()> {
    thing::change::<Instances>(cx, instance, |put| with(put.profiles.get_or_insert_default())).await
}

fn table(profiles: &[Shown]) -> Table {
    let mut table = Table::new(["NAME", "DESCRIPTION", "USED BY"]);
    for profile in profiles {
        table.row([
            profile.name.clone(),
            profile.description.clone(),
            profile.used_by.len().to_string(),
        ]);
    }
    table
}

/// Profiles, as things with options.
pub(crate) struct Profiles;

impl Named for Profiles {
    const NOUN: &'static str = "profile";
    const EXAMPLE: &'static str = "\
description: Small machines
config:
  limits.cpu: \"2\"
  limits.memory: 1GiB
devices:
  root:
    type: disk
    path: /
    pool: default
    size: 10GiB
";
    type Shown = Shown;
    type Put = ProfilePut;
    type Query = ProjectQuery;
    type Get = ProfileGet;
    type Replace = ProfileReplace;
    type Delete = ProfileDelete;

    fn query(cx: &Context) -> ProjectQuery {
        cx.query()
    }

    fn writable(shown: &Shown) -> ProfilePut {
        shown.writable()
    }

    fn config(put: &mut ProfilePut) -> &mut ConfigMap {
        &mut put.config
    }

    fn devices(put: &mut ProfilePut) -> Option<&mut DevicesMap> {
        Some(&mut put.devices)
    }
}
