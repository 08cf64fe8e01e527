//! `profile`.

use client::Answer;
use wire::{
    ConfigMap, DevicesMap, Empty, Profile as Shown, ProfilePost, ProfilePut, ProfilesPost,
    endpoints::profiles::{
        ProfileCreate, ProfileDelete, ProfileGet, ProfileRename, ProfileReplace, ProfilesList,
    },
};

use super::{OK, config::Instances, device::Device};
use crate::{
    context::Context,
    error::Result,
    output::{FormatArg, Table},
    pairs,
    thing::{self, Thing},
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
    /// Show a profile
    Show {
        /// Profile
        name: String,
    },
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
    /// Delete profiles
    #[command(visible_alias = "rm")]
    Delete {
        /// Profiles
        #[arg(required = true)]
        names: Vec<String>,
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
    /// Replace a profile's options by YAML from standard input
    Edit {
        /// Profile
        name: String,
    },
    /// Print the value of an option
    Get {
        /// Profile
        name: String,
        /// Option
        key: String,
    },
    /// Set options
    Set {
        /// Profile
        name: String,
        /// Options; an empty value takes one away
        #[arg(required = true, value_name = "KEY=VALUE")]
        options: Vec<String>,
    },
    /// Take an option away
    Unset {
        /// Profile
        name: String,
        /// Option
        key: String,
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
            Verb::Show { name } => thing::show::<Profiles>(cx, &name).await?,
            Verb::Create { name, options, description } => {
                let config = pairs::map(&options)?;
                create(cx, ProfilesPost { name, config, description, devices: DevicesMap::new() })
                    .await?;
            }
            Verb::Delete { names } => {
                for name in names {
                    cx.client.call::<ProfileDelete>(&[&name], &cx.query(), &Empty {}).await?;
                    cx.say(format!("Profile {name} deleted"));
                }
            }
            Verb::Rename { name, new_name } => {
                let request = ProfilePost { name: new_name };
                cx.client.call::<ProfileRename>(&[&name], &cx.query(), &request).await?;
            }
            Verb::Copy { name, new_name } => {
                let from = Profiles::load(cx, &name).await?.reply;
                let Shown { description, config, devices, .. } = from;
                create(cx, ProfilesPost { name: new_name, description, config, devices }).await?;
            }
            Verb::Edit { name } => thing::edit::<Profiles>(cx, &name).await?,
            Verb::Get { name, key } => thing::get::<Profiles>(cx, &name, &key).await?,
            Verb::Set { name, options } => thing::set::<Profiles>(cx, &name, &options).await?,
            Verb::Unset { name, key } => thing::unset::<Profiles>(cx, &name, &key).await?,
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

impl Thing for Profiles {
    const NOUN: &'static str = "profile";
    type Shown = Shown;
    type Put = ProfilePut;

    async fn load(cx: &Context, name: &str) -> Result<Answer<Shown>> {
        Ok(cx.client.request::<ProfileGet>(&[name]).query(&cx.query())?.send().await?)
    }

    async fn store(cx: &Context, name: &str, put: &ProfilePut, etag: Option<String>) -> Result<()> {
        let request = cx.client.request::<ProfileReplace>(&[name]).query(&cx.query())?;
        request.body(put)?.if_match(etag).send().await?;
        Ok(())
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
