//! `status`: the server at a glance.

use std::collections::BTreeMap;

use wire::{
    endpoints::{
        instances::InstancesList,
        networks::NetworksList,
        server::ServerGet,
        storage::{StoragePoolResourcesGet, StoragePoolsList},
    },
    query::ListQuery,
};

use super::OK;
use crate::{context::Context, error::Result, output::human};

/// Shows the server at a glance.
#[derive(Debug, clap::Args)]
pub(crate) struct Status {}

impl Status {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        let server = cx.client.get::<ServerGet>(&[], &cx.target()).await?;
        let environment = server.environment.unwrap_or_default();
        outln!("Server:    {} {}", environment.server_name, environment.server_version);
        outln!(
            "System:    {} {}, kernel {}",
            environment.os_name,
            environment.os_version,
            environment.kernel_version
        );
        outln!("Instances: {}", instances(cx).await?);
        for pool in cx.client.get::<StoragePoolsList>(&[], &cx.list()).await?.into_full() {
            let room =
                cx.client.get::<StoragePoolResourcesGet>(&[&pool.name], &cx.target()).await?;
            let (used, total) = (human::bytes(room.space.used), human::bytes(room.space.total));
            outln!("Pool:      {} ({}), {used} of {total} used", pool.name, pool.driver);
        }
        let networks = cx.client.get::<NetworksList>(&[], &cx.list()).await?.into_full();
        for network in networks.iter().filter(|network| network.managed) {
            let address = network.config.get("ipv4.address").map_or("no IPv4", String::as_str);
            outln!("Network:   {} ({}), {address}", network.name, network.r#type);
        }
        Ok(OK)
    }
}

/// Such as `3 running, 1 stopped`, over all projects.
async fn instances(cx: &Context) -> Result<String> {
    let query = ListQuery { recursion: 1, all_projects: true, ..ListQuery::default() };
    let mut count = BTreeMap::new();
    for full in cx.client.get::<InstancesList>(&[], &query).await?.into_full() {
        *count.entry(full.instance.status.to_lowercase()).or_insert(0) += 1;
    }
    let parts: Vec<_> = count.iter().map(|(status, count)| format!("{count} {status}")).collect();
    Ok(if parts.is_empty() { "none".into() } else { parts.join(", ") })
}
