//! `network`.

use std::fmt::Write;

use wire::{
    ConfigMap, Network as Shown, NetworkLease, NetworkPost, NetworkPut, NetworkState, NetworksPost,
    endpoints::networks::{
        NetworkCreate, NetworkDelete, NetworkGet, NetworkLeasesList, NetworkRename, NetworkReplace,
        NetworkStateGet, NetworksList,
    },
    query::TargetQuery,
};

use super::OK;
use crate::{
    context::Context,
    error::Result,
    output::{FormatArg, Table, human},
    pairs,
    verbs::{Named, Verbs},
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
    #[command(flatten)]
    Common(Verbs),
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
        /// Only tell what it is to be on this member, before it is made on all
        #[arg(long)]
        target: Option<String>,
    },
    /// Rename a network
    Rename {
        /// Its name now
        name: String,
        /// Its new name
        new_name: String,
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
            Verb::Create { name, options, kind, description, target } => {
                let config = pairs::map(&options)?;
                let request = NetworksPost { name, description, r#type: kind, config };
                let query = TargetQuery { target, ..cx.target() };
                cx.client.call::<NetworkCreate>(&[], &query, &request).await?;
                let done = match &query.target {
                    Some(member) => format!("told to member {member}"),
                    None => String::from("created"),
                };
                cx.say(format!("Network {} {done}", request.name));
            }
            Verb::Common(verbs) => verbs.run::<Networks>(cx).await?,
            Verb::Rename { name, new_name } => {
                let request = NetworkPost { name: new_name };
                cx.client.call::<NetworkRename>(&[&name], &cx.target(), &request).await?;
            }
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

impl Named for Networks {
    const NOUN: &'static str = "network";
    const EXAMPLE: &'static str = "\
description: For the lab
config:
  ipv4.address: 10.20.30.1/24
  ipv4.nat: \"true\"
  ipv4.dhcp.ranges: 10.20.30.100-10.20.30.200
  ipv6.address: none
";
    type Shown = Shown;
    type Put = NetworkPut;
    type Query = TargetQuery;
    type Get = NetworkGet;
    type Replace = NetworkReplace;
    type Delete = NetworkDelete;

    fn query(cx: &Context) -> TargetQuery {
        cx.target()
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
