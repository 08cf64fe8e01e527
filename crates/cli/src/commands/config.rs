//! `config`: options and devices of instances, options of the server.

use std::sync::Arc;

use client::Answer;
use serde::Serialize;
use wire::{
    ConfigMap, DevicesMap, Empty, InstanceFull, InstancePut, Server, ServerPut,
    endpoints::{
        instances::{InstanceGet, InstanceReplace},
        server::{ServerGet, ServerReplace},
    },
};

use super::{
    OK, device::Device, metadata::Metadata, snapshot, template::Template, trust::Trust, uefi::Uefi,
};
use crate::{
    context::Context,
    error::{Error, Result},
    output,
    thing::{self, Thing},
};

/// Options and devices. Without an instance, options of the server.
#[derive(Debug, clap::Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Print the value of an option
    Get {
        /// [Instance] and option
        #[arg(required = true, num_args = 1..=2, value_names = ["INSTANCE", "KEY"])]
        words: Vec<String>,
        /// Also look at the profiles
        #[arg(short, long)]
        expanded: bool,
    },
    /// Set options
    Set {
        /// [Instance] and options; an empty value takes one away, "-" reads it from standard input
        #[arg(required = true, value_name = "KEY=VALUE")]
        words: Vec<String>,
    },
    /// Take an option away
    Unset {
        /// [Instance] and option
        #[arg(required = true, num_args = 1..=2, value_names = ["INSTANCE", "KEY"])]
        words: Vec<String>,
    },
    /// Show all options
    Show {
        /// Instance, or a snapshot of one: INSTANCE/SNAPSHOT
        instance: Option<String>,
        /// With what the profiles bring
        #[arg(short, long)]
        expanded: bool,
    },
    /// Change all options as YAML: in an editor, or from standard input
    Edit {
        /// Instance, or a snapshot of one: INSTANCE/SNAPSHOT
        instance: Option<String>,
    },
    /// Devices of an instance
    #[command(subcommand)]
    Device(Device),
    /// Clients that may use the server over the network
    #[command(subcommand)]
    Trust(Trust),
    /// What an instance's image said of itself
    #[command(subcommand)]
    Metadata(Metadata),
    /// Templates of an instance's files
    #[command(subcommand)]
    Template(Template),
    /// Variables of a virtual machine's UEFI firmware
    #[command(subcommand)]
    Uefi(Uefi),
}

impl Config {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        match self.verb {
            Verb::Get { words, expanded: false } => match target(&words) {
                (Some(instance), [key]) => thing::get::<Instances>(cx, instance, key).await?,
                (_, keys) => {
                    thing::get::<TheServer>(cx, "", keys.first().map_or("", String::as_str)).await?
                }
            },
            Verb::Get { words, expanded: true } => {
                let (Some(instance), [key]) = target(&words) else {
                    return Err(Error::Usage("--expanded needs an instance"));
                };
                let shown = Instances::load(cx, instance).await?.reply;
                outln!("{}", shown.instance.expanded_config.get(key).map_or("", String::as_str));
            }
            Verb::Set { words } => match set_target(&words) {
                (Some(instance), settings) => {
                    thing::set::<Instances>(cx, instance, settings).await?
                }
                (None, settings) => thing::set::<TheServer>(cx, "", settings).await?,
            },
            Verb::Unset { words } => match target(&words) {
                (Some(instance), [key]) => thing::unset::<Instances>(cx, instance, key).await?,
                (_, keys) => {
                    thing::unset::<TheServer>(cx, "", keys.first().map_or("", String::as_str))
                        .await?
                }
            },
            Verb::Show { instance: Some(name), .. } if name.contains('/') => {
                snapshot::show(cx, &name).await?
            }
            Verb::Edit { instance: Some(name) } if name.contains('/') => {
                snapshot::edit(cx, &name).await?
            }
            Verb::Show { instance: Some(instance), expanded } => {
                show(cx, &instance, expanded).await?
            }
            Verb::Show { instance: None, .. } => {
                output::yaml(&TheServer::writable(&TheServer::load(cx, "").await?.reply))?;
            }
            Verb::Edit { instance: Some(instance) } => {
                thing::edit::<Instances>(cx, &instance).await?
            }
            Verb::Edit { instance: None } => thing::edit::<TheServer>(cx, "").await?,
            Verb::Device(device) => return device.run::<Instances>(cx).await,
            Verb::Trust(trust) => return trust.run(cx).await,
            Verb::Metadata(metadata) => return metadata.run(cx).await,
            Verb::Template(template) => return template.run(cx).await,
            Verb::Uefi(uefi) => return uefi.run(cx).await,
        }
        Ok(OK)
    }
}

/// `KEY` is of the server, `INSTANCE KEY` of an instance.
fn target(words: &[String]) -> (Option<&str>, &[String]) {
    match words {
        [instance, rest @ ..] if !rest.is_empty() => (Some(instance), rest),
        keys => (None, keys),
    }
}

/// `KEY=VALUE ...` and `KEY VALUE` with a dot in the key are of the server, anything else of an instance.
fn set_target(words: &[String]) -> (Option<&str>, &[String]) {
    match words {
        [first, ..] if first.contains('=') => (None, words),
        [key, value] if key.contains('.') && !value.contains('=') => (None, words),
        [instance, settings @ ..] => (Some(instance), settings),
        [] => (None, words),
    }
}

async fn show(cx: &Context, name: &str, expanded: bool) -> Result<()> {
    let loaded = Instances::load(cx, name).await?.reply.instance;
    let mut instance = Arc::unwrap_or_clone(loaded);
    if expanded {
        instance.config = std::mem::take(&mut instance.expanded_config);
        instance.devices = std::mem::take(&mut instance.expanded_devices);
    }
    output::yaml(&Shown {
        architecture: instance.architecture,
        config: instance.config,
        devices: instance.devices,
        ephemeral: instance.ephemeral,
        profiles: instance.profiles,
        stateful: instance.stateful,
        description: instance.description,
    })
}

/// What `config show` prints.
#[derive(Serialize)]
struct Shown {
    architecture: String,
    config: ConfigMap,
    devices: DevicesMap,
    ephemeral: bool,
    profiles: Vec<String>,
    stateful: bool,
    description: String,
}

/// Instances, as things with options.
pub(crate) struct Instances;

impl Thing for Instances {
    const NOUN: &'static str = "instance";
    const EXAMPLE: &'static str = "\
description: The web server
config:
  boot.autostart: \"true\"
  limits.memory: 2GiB
devices:
  eth0:
    type: nic
    network: mcbr0
    ipv4.address: 10.20.30.5
profiles:
- default
";
    type Shown = InstanceFull;
    type Put = InstancePut;

    async fn load(cx: &Context, name: &str) -> Result<Answer<InstanceFull>> {
        let query = wire::query::ThingQuery { project: cx.project.clone(), ..Default::default() };
        Ok(cx.client.request::<InstanceGet>(&[name]).query(&query)?.send().await?)
    }

    async fn store(
        cx: &Context,
        name: &str,
        put: &InstancePut,
        etag: Option<String>,
    ) -> Result<()> {
        let request = cx.client.request::<InstanceReplace>(&[name]).query(&cx.query())?;
        let operation = request.body(put)?.if_match(etag).send().await?.reply;
        cx.finish(&operation).await.map(drop)
    }

    fn writable(shown: &InstanceFull) -> InstancePut {
        shown.instance.writable()
    }

    fn config(put: &mut InstancePut) -> &mut ConfigMap {
        &mut put.config
    }

    fn devices(put: &mut InstancePut) -> Option<&mut DevicesMap> {
        Some(&mut put.devices)
    }
}

/// The server, as a thing with options; it has no name.
pub(crate) struct TheServer;

impl Thing for TheServer {
    const NOUN: &'static str = "server";
    const EXAMPLE: &'static str = "\
config:
  core.shutdown_timeout: \"5\"
  images.compression_algorithm: zstd
";
    type Shown = Server;
    type Put = ServerPut;

    async fn load(cx: &Context, _: &str) -> Result<Answer<Server>> {
        Ok(cx.client.request::<ServerGet>(&[]).send().await?)
    }

    async fn store(cx: &Context, _: &str, put: &ServerPut, etag: Option<String>) -> Result<()> {
        let Empty {} =
            cx.client.request::<ServerReplace>(&[]).body(put)?.if_match(etag).send().await?.reply;
        Ok(())
    }

    fn writable(shown: &Server) -> ServerPut {
        ServerPut { config: shown.config.clone().unwrap_or_default() }
    }

    fn config(put: &mut ServerPut) -> &mut ConfigMap {
        &mut put.config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn the_server_is_meant_without_an_instance() {
        assert_eq!(set_target(&words("core.https_address=:8443")).0, None);
        assert_eq!(set_target(&words("core.https_address :8443")).0, None);
        assert_eq!(target(&words("core.https_address")).0, None);
    }

    #[test]
    fn an_instance_stands_first() {
        let given = words("web limits.memory=1GiB limits.cpu=2");
        assert_eq!(set_target(&given), (Some("web"), &given[1..]));
        let given = words("web limits.memory 1GiB");
        assert_eq!(set_target(&given), (Some("web"), &given[1..]));
        assert_eq!(target(&words("web limits.cpu")).0, Some("web"));
    }
}
