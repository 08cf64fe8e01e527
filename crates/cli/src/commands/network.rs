//! `network`.

use std::fmt::Write;

use client::Answer;
use wire::{
    ConfigMap, Empty, Network as Shown, NetworkLease, NetworkPost, NetworkPut, NetworkState,
    NetworksPost,
    endpoints::networks::{
        NetworkCreate, NetworkDelete, NetworkGet, NetworkLeasesList, NetworkRename, NetworkReplace,
        NetworkStateGet, NetworksList,
    },
};

use super::OK;
use crate::{
    context::Context,
    error::Result,
    output::{FormatArg, Table, human},
    pairs,
    thing::{self, Thing},
};

/// Networks.
#[derive(Debug, clap::Args)]
pub(crate) struct Network {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List networks
    #[command(visible_alias = "ls")]
    List(FormatArg),
    /// Show a network
    Show {
        /// Network
        name: String,
    },
    /// Make a network
    Create {
        /// Network
        name: String,
        /// Its options
        #[arg(value_name = "KEY=VALUE")]
        options: Vec<String>,
        /// Kind
        #[arg(short = 't', long = "type", default_value = "bridge")]
        kind: String,
        /// Description
        #[arg(long, default_value = "")]
        description: String,
    },
    /// Delete networks
    #[command(visible_alias = "rm")]
    Delete {
        /// Networks
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Rename a network
    Rename {
        /// Its name now
        name: String,
        /// Its new name
        new_name: String,
    },
    /// Replace a network's options by YAML from standard input
    Edit {
        /// Network
        name: String,
    },
    /// Print the value of an option
    Get {
        /// Network
        name: String,
        /// Option
        key: String,
    },
    /// Set options
    Set {
        /// Network
        name: String,
        /// Options; an empty value takes one away
        #[arg(required = true, value_name = "KEY=VALUE")]
        options: Vec<String>,
    },
    /// Take an option away
    Unset {
        /// Network
        name: String,
        /// Option
        key: String,
    },
    /// Show a network's addresses and counters
    Info {
        /// Network
        name: String,
    },
    /// List the addresses that were given out
    ListLeases {
        /// Network
        name: String,
        #[command(flatten)]
        format: FormatArg,
    },
}

impl Network {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        match self.verb {
            Verb::List(format) => {
                let all = cx.client.get::<NetworksList>(&[], &cx.list()).await?.into_full();
                format.print(&all, table)?;
            }
            Verb::Show { name } => thing::show::<Networks>(cx, &name).await?,
            Verb::Create { name, options, kind, description } => {
                let request =
                    NetworksPost { name, description, r#type: kind, config: pairs::map(&options)? };
                cx.client.call::<NetworkCreate>(&[], &cx.target(), &request).await?;
                cx.say(format!("Network {} created", request.name));
            }
            Verb::Delete { names } => {
                for name in names {
                    cx.client.call::<NetworkDelete>(&[&name], &cx.target(), &Empty {}).await?;
                    cx.say(format!("Network {name} deleted"));
                }
            }
            Verb::Rename { name, new_name } => {
                let request = NetworkPost { name: new_name };
                cx.client.call::<NetworkRename>(&[&name], &cx.target(), &request).await?;
            }
            Verb::Edit { name } => thing::edit::<Networks>(cx, &name).await?,
            Verb::Get { name, key } => thing::get::<Networks>(cx, &name, &key).await?,
            Verb::Set { name, options } => thing::set::<Networks>(cx, &name, &options).await?,
            Verb::Unset { name, key } => thing::unset::<Networks>(cx, &name, &key).await?,
            Verb::Info { name } => {
                let state = cx.client.get::<NetworkStateGet>(&[&name], &cx.target()).await?;
                out!("{}", info(&name, &state));
            }
            Verb::ListLeases { name, format } => {
                let leases = cx.client.get::<NetworkLeasesList>(&[&name], &cx.target()).await?;
                format.print(&leases, lease_table)?;
            }
        }
        Ok(OK)
    }
}

fn table(networks: &[Shown]) -> Table {
    let head = ["NAME", "TYPE", "MANAGED", "IPV4", "IPV6", "DESCRIPTION", "USED BY", "STATE"];
    let mut table = Table::new(head);
    for network in networks {
        let option = |key: &str| network.config.get(key).cloned().unwrap_or_default();
        table.row([
            network.name.clone(),
            network.r#type.clone(),
            human::yes(network.managed).into(),
            option("ipv4.address"),
            option("ipv6.address"),
            network.description.clone(),
            network.used_by.len().to_string(),
            network.status.to_uppercase(),
        ]);
    }
    table
}

fn lease_table(leases: &[NetworkLease]) -> Table {
    let mut table = Table::new(["HOSTNAME", "MAC ADDRESS", "IP ADDRESS", "TYPE"]);
    for lease in leases {
        let kind = lease.r#type.to_uppercase();
        table.row([lease.hostname.clone(), lease.hwaddr.clone(), lease.address.clone(), kind]);
    }
    table
}

fn info(name: &str, state: &NetworkState) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "Name: {name}\nMAC address: {}\nMTU: {}", state.hwaddr, state.mtu);
    let _ = writeln!(text, "State: {}\nType: {}\n\nIP addresses:", state.state, state.r#type);
    for address in &state.addresses {
        let (family, ip, mask) = (&address.family, &address.address, &address.netmask);
        let _ = writeln!(text, "  {family:<6} {ip}/{mask} ({})", address.scope);
    }
    let counters = &state.counters;
    let (bytes_in, bytes_out) =
        (human::bytes(counters.bytes_received), human::bytes(counters.bytes_sent));
    let _ =
        writeln!(text, "\nNetwork usage:\n  Bytes received: {bytes_in}\n  Bytes sent: {bytes_out}");
    let _ = writeln!(text, "  Packets received: {}", counters.packets_received);
    let _ = writeln!(text, "  Packets sent: {}", counters.packets_sent);
    if let Some(bridge) = &state.bridge {
        let _ = writeln!(text, "\nBridge:\n  ID: {}\n  STP: {}", bridge.id, bridge.stp);
        let _ = writeln!(text, "  Forward delay: {}", bridge.forward_delay);
        let _ = writeln!(text, "  Upper devices: {}", bridge.upper_devices.join(", "));
    }
    text
}

/// Networks, as things with options.
pub(crate) struct Networks;

impl Thing for Networks {
    const NOUN: &'static str = "network";
    type Shown = Shown;
    type Put = NetworkPut;

    async fn load(cx: &Context, name: &str) -> Result<Answer<Shown>> {
        Ok(cx.client.request::<NetworkGet>(&[name]).query(&cx.target())?.send().await?)
    }

    async fn store(cx: &Context, name: &str, put: &NetworkPut, etag: Option<String>) -> Result<()> {
        let request = cx.client.request::<NetworkReplace>(&[name]).query(&cx.target())?;
        request.body(put)?.if_match(etag).send().await?;
        Ok(())
    }

    fn writable(shown: &Shown) -> NetworkPut {
        shown.writable()
    }

    fn config(put: &mut NetworkPut) -> &mut ConfigMap {
        &mut put.config
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_list_of_networks() {
        let network = serde_json::from_value(json!({
            "name": "mcbr0", "type": "bridge", "managed": true, "status": "Created",
            "config": { "ipv4.address": "10.0.0.1/24" }, "used_by": ["/1.0/profiles/default"],
        }))
        .unwrap();
        assert_eq!(table(&[network]).csv(), "mcbr0,bridge,YES,10.0.0.1/24,,,1,CREATED\n");
    }
}
