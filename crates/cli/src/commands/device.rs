//! Devices of instances and profiles: one set of verbs for both.

use std::collections::btree_map::Entry;

use wire::{ConfigMap, DevicesMap};

use super::OK;
use crate::{
    context::Context,
    error::{Error, Result},
    output, pairs,
    thing::{self, Thing},
};

/// What to do with devices of a `T`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Device {
    /// Add a device
    Add {
        /// Instance or profile
        owner: String,
        /// Name of the device
        device: String,
        /// Kind: disk, nic, unix-char and so on
        kind: String,
        /// Its options
        #[arg(value_name = "KEY=VALUE")]
        options: Vec<String>,
    },
    /// Take devices away
    #[command(visible_alias = "rm")]
    Remove {
        /// Instance or profile
        owner: String,
        /// Names of the devices
        #[arg(required = true)]
        devices: Vec<String>,
    },
    /// Set options of a device
    Set {
        /// Instance or profile
        owner: String,
        /// Name of the device
        device: String,
        /// Options to set; an empty value takes one away
        #[arg(required = true, value_name = "KEY=VALUE")]
        options: Vec<String>,
    },
    /// Take an option of a device away
    Unset {
        /// Instance or profile
        owner: String,
        /// Name of the device
        device: String,
        /// Option
        key: String,
    },
    /// Print the value of an option of a device
    Get {
        /// Instance or profile
        owner: String,
        /// Name of the device
        device: String,
        /// Option
        key: String,
    },
    /// List the names of the devices
    #[command(visible_alias = "ls")]
    List {
        /// Instance or profile
        owner: String,
    },
    /// Show the devices
    Show {
        /// Instance or profile
        owner: String,
    },
}

impl Device {
    pub(crate) async fn run<T: Thing>(self, cx: &Context) -> Result<u8> {
        match self {
            Self::Add { owner, device, kind: r#type, options } => {
                let mut new = pairs::map(&options)?;
                new.insert("type".into(), r#type);
                change::<T>(cx, &owner, |devices| add::<T>(devices, &owner, &device, new)).await?;
            }
            Self::Remove { owner, devices: names } => {
                change::<T>(cx, &owner, |devices| {
                    let missing = names.iter().find(|name| devices.remove(*name).is_none());
                    missing.map_or(Ok(()), |name| Err(thing::absent::<T>(&owner, "device", name)))
                })
                .await?;
            }
            Self::Set { owner, device, options } => {
                let options = pairs::settings(&options)?;
                change_one::<T>(cx, &owner, &device, |device| pairs::apply(device, options))
                    .await?;
            }
            Self::Unset { owner, device, key } => {
                change_one::<T>(cx, &owner, &device, |device| drop(device.remove(&key))).await?;
            }
            Self::Get { owner, device, key } => {
                let devices = load::<T>(cx, &owner).await?;
                let device = devices
                    .get(&device)
                    .ok_or_else(|| thing::absent::<T>(&owner, "device", &device))?;
                outln!("{}", device.get(&key).map_or("", String::as_str));
            }
            Self::List { owner } => {
                for name in load::<T>(cx, &owner).await?.keys() {
                    outln!("{name}");
                }
            }
            Self::Show { owner } => output::yaml(&load::<T>(cx, &owner).await?)?,
        }
        Ok(OK)
    }
}

/// The devices of an owner.
async fn load<T: Thing>(cx: &Context, owner: &str) -> Result<DevicesMap> {
    let shown = T::load(cx, owner).await?.reply;
    Ok(T::devices(&mut T::writable(&shown)).cloned().unwrap_or_default())
}

/// Changes the devices of an owner.
async fn change<T: Thing>(
    cx: &Context,
    owner: &str,
    with: impl FnOnce(&mut DevicesMap) -> Result<()>,
) -> Result<()> {
    thing::change::<T>(cx, owner, |put| T::devices(put).map_or(Ok(()), with)).await
}

/// Changes one device of an owner.
async fn change_one<T: Thing>(
    cx: &Context,
    owner: &str,
    device: &str,
    with: impl FnOnce(&mut ConfigMap),
) -> Result<()> {
    change::<T>(cx, owner, |devices| {
        let found = devices.get_mut(device);
        with(found.ok_or_else(|| thing::absent::<T>(owner, "device", device))?);
        Ok(())
    })
    .await
}

/// Adds a device, if there is none of the name.
fn add<T: Thing>(devices: &mut DevicesMap, owner: &str, name: &str, new: ConfigMap) -> Result<()> {
    match devices.entry(name.to_owned()) {
        Entry::Vacant(place) => {
            place.insert(new);
            Ok(())
        }
        Entry::Occupied(_) => {
            let (name, key) = (owner.to_owned(), name.to_owned());
            Err(Error::Present { noun: T::NOUN, name, what: "device", key })
        }
    }
}
