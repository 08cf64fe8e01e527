//! `init`: a new server gets a storage pool, a network and a default profile that uses them; and, if it is wished, is the
//! first member of a cluster and waits for the others.
//!
//! What is there already is left as it is, so that it may run again after it stopped half-way.

use wire::{
    ClusterPut, ConfigMap, DevicesMap, Network, NetworksPost, StoragePoolsPost,
    endpoints::{
        cluster::{ClusterGet, ClusterReplace},
        networks::{NetworkCreate, NetworksList},
        storage::{StoragePoolCreate, StoragePoolsList},
    },
    query::NoQuery,
};

use super::{OK, cluster::session, profile::Profiles};
use crate::{
    context::Context,
    edit,
    error::{Error, Result},
    thing,
};

mod disks;
mod dump;
mod preseed;
mod questions;

/// Sets a new server up.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Init {
    /// Ask nothing
    #[arg(long, visible_alias = "minimal")]
    auto: bool,
    /// Do what the YAML on standard input says, and nothing else
    #[arg(long, conflicts_with = "auto")]
    preseed: bool,
    /// Print what the server has, as YAML for --preseed, and do nothing
    #[arg(long, conflicts_with_all = ["auto", "preseed"])]
    dump: bool,
    /// Driver of the storage pool
    #[arg(long, default_value = "dir")]
    storage_backend: String,
    /// Name of the storage pool
    #[arg(long, default_value = "default")]
    storage_pool: String,
    /// Where the pool keeps its data: a folder, a disk, a data set; the daemon's folder otherwise
    #[arg(long)]
    storage_source: Option<String>,
    /// Name of the bridge; the first free mcbr0, mcbr1, ... otherwise
    #[arg(long, conflicts_with = "no_network")]
    network: Option<String>,
    /// IPv4 address of the bridge with its prefix; one that is free otherwise
    #[arg(long, default_value = "auto", value_name = "CIDR")]
    network_address: String,
    /// Make no network
    #[arg(long)]
    no_network: bool,
    /// Make this server the first member of a cluster
    #[arg(long)]
    cluster: bool,
    /// The name it has in the cluster; its own otherwise
    #[arg(long, default_value = "", requires = "cluster")]
    name: String,
    /// Where the other members reach it, host:port
    #[arg(long, default_value = "", requires = "cluster")]
    address: String,
    /// Wait until so many machines have joined, as with "cluster add"
    #[arg(long, value_name = "N")]
    wait: Option<usize>,
}

impl Init {
    pub(crate) async fn run(mut self, cx: &Context) -> Result<u8> {
        if self.dump {
            dump::print(cx).await?;
            return Ok(OK);
        }
        if self.preseed {
            edit::given::<preseed::Preseed>()?.apply(cx).await?;
            return Ok(OK);
        }
        let others = match self.auto {
            true => self.wait.is_some(),
            false => self.questions(cx).await?,
        };
        if self.cluster {
            enable(cx, &self.name, &self.address).await?;
        }
        let pool = self.pool(cx).await?;
        let network = if self.no_network { None } else { Some(self.network(cx).await?) };
        thing::change::<Profiles>(cx, "default", |profile| {
            add_devices(&mut profile.devices, &pool, network.as_deref());
            Ok(())
        })
        .await?;
        cx.say("Ready. Try: microcloud launch debian:12 first");
        if others {
            session::wait(cx, self.wait).await?;
        }
        Ok(OK)
    }

    /// The pool that is there, or a new one.
    async fn pool(&self, cx: &Context) -> Result<String> {
        let pools = cx.client.get::<StoragePoolsList>(&[], &cx.list()).await?.into_full();
        if let Some(pool) =
            pools.iter().find(|pool| pool.name == self.storage_pool).or(pools.first())
        {
            cx.say(format!("Storage pool {} is there", pool.name));
            return Ok(pool.name.clone());
        }
        let source = self.storage_source.iter().map(|source| ("source".into(), source.clone()));
        let request = StoragePoolsPost {
            name: self.storage_pool.clone(),
            description: String::new(),
            driver: self.storage_backend.clone(),
            config: source.collect(),
        };
        cx.client.call::<StoragePoolCreate>(&[], &cx.target(), &request).await?;
        cx.say(format!("Storage pool {} made ({})", request.name, request.driver));
        Ok(request.name)
    }

    /// The managed network that is there, or a new bridge.
    async fn network(&self, cx: &Context) -> Result<String> {
        let networks = cx.client.get::<NetworksList>(&[], &cx.list()).await?.into_full();
        let wanted = |network: &&Network| {
            network.managed && self.network.as_ref().is_none_or(|name| *name == network.name)
        };
        if let Some(network) = networks.iter().find(wanted) {
            cx.say(format!("Network {} is there", network.name));
            return Ok(network.name.clone());
        }
        let request = self.bridge(&networks);
        cx.client.call::<NetworkCreate>(&[], &cx.target(), &request).await?;
        cx.say(format!("Network {} made", request.name));
        Ok(request.name)
    }

    fn bridge(&self, networks: &[Network]) -> NetworksPost {
        let config = [("ipv4.address", self.network_address.as_str()), ("ipv6.address", "auto")];
        NetworksPost {
            name: self.network.clone().unwrap_or_else(|| free_name(networks)),
            description: String::new(),
            r#type: "bridge".into(),
            config: config.map(|(key, value)| (key.into(), value.into())).into(),
        }
    }
}

/// Makes the server the first member of a cluster; one that is a member already stays what it is.
async fn enable(cx: &Context, name: &str, address: &str) -> Result<()> {
    let found = cx.client.get::<ClusterGet>(&[], &NoQuery {}).await?;
    if found.enabled {
        if !(name.is_empty() || name == found.server_name) {
            return Err(Error::Named { is: found.server_name, wanted: name.to_owned() });
        }
        cx.say(format!("This server is member {} of a cluster", found.server_name));
        return Ok(());
    }
    let put = ClusterPut {
        server_name: name.to_owned(),
        server_address: address.to_owned(),
        enabled: true,
        ..ClusterPut::default()
    };
    let begun = cx.client.call::<ClusterReplace>(&[], &NoQuery {}, &put).await?;
    cx.client.wait(&begun).await?;
    cx.say("This server is the first member of its cluster");
    Ok(())
}

/// The first of mcbr0, mcbr1, ... that neither we nor the host have.
fn free_name(networks: &[Network]) -> String {
    let taken = |name: &String| networks.iter().any(|network| network.name == *name);
    let mut names = (0..).map(|number: u32| format!("mcbr{number}"));
    names.find(|name| !taken(name)).unwrap_or_default()
}

/// Gives the profile a root disk and a network card, unless it has them.
fn add_devices(devices: &mut DevicesMap, pool: &str, network: Option<&str>) {
    let device = |pairs: &[(&str, &str)]| -> ConfigMap {
        pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
    };
    let root = [("type", "disk"), ("path", "/"), ("pool", pool)];
    devices.entry("root".into()).or_insert_with(|| device(&root));
    if let Some(network) = network {
        let nic = [("type", "nic"), ("name", "eth0"), ("network", network)];
        devices.entry("eth0".into()).or_insert_with(|| device(&nic));
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;
    use crate::arguments::{Arguments, Command};

    fn init(words: &str) -> Init {
        match Arguments::try_parse_from(words.split(' ')).unwrap().command {
            Command::Init(init) => init,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_bridge_takes_a_free_name() {
        let taken = [Network { name: "mcbr0".into(), ..Network::default() }];
        let want = json!({
            "name": "mcbr1", "description": "", "type": "bridge",
            "config": { "ipv4.address": "auto", "ipv6.address": "auto" },
        });
        assert_eq!(json!(init("microcloud init --auto").bridge(&taken)), want);
    }

    #[test]
    fn the_bridge_may_be_named() {
        let bridge =
            init("microcloud init --auto --network lan --network-address 10.1.0.1/24").bridge(&[]);
        assert_eq!(
            (bridge.name.as_str(), bridge.config["ipv4.address"].as_str()),
            ("lan", "10.1.0.1/24")
        );
    }

    #[test]
    fn devices_that_are_there_stay() {
        let mut devices: DevicesMap = serde_json::from_value(
            json!({ "root": { "type": "disk", "path": "/", "pool": "old" } }),
        )
        .unwrap();
        add_devices(&mut devices, "default", Some("mcbr0"));
        let want = json!({
            "root": { "type": "disk", "path": "/", "pool": "old" },
            "eth0": { "type": "nic", "name": "eth0", "network": "mcbr0" },
        });
        assert_eq!(json!(devices), want);
    }
}
