//! `init --dump`: what the server has, as YAML that `init --preseed` takes. What it noted for itself is left out.

use serde::Serialize;
use wire::{
    ConfigMap, NetworksPost, ProfilesPost, ProjectsPost, StoragePoolsPost,
    endpoints::{
        networks::NetworksList, profiles::ProfilesList, projects::ProjectsList, server::ServerGet,
        storage::StoragePoolsList,
    },
    query::TargetQuery,
};

use crate::{context::Context, error::Result, output};

/// What it says; `Preseed` with all that belongs to others left out.
#[derive(Serialize)]
struct Dump {
    config: ConfigMap,
    storage_pools: Vec<StoragePoolsPost>,
    networks: Vec<NetworksPost>,
    profiles: Vec<ProfilesPost>,
    projects: Vec<ProjectsPost>,
}

/// Prints it.
pub(super) async fn print(cx: &Context) -> Result<()> {
    let server = cx.client.get::<ServerGet>(&[], &TargetQuery::default()).await?;
    let pools = cx.client.get::<StoragePoolsList>(&[], &cx.list()).await?.into_full();
    let networks = cx.client.get::<NetworksList>(&[], &cx.list()).await?.into_full();
    let profiles = cx.client.get::<ProfilesList>(&[], &cx.list()).await?.into_full();
    let projects = cx.client.get::<ProjectsList>(&[], &cx.list()).await?.into_full();
    let pool = |pool: wire::StoragePool| StoragePoolsPost {
        description: pool.description,
        driver: pool.driver,
        config: without_own_folder(&pool.name, said(pool.config)),
        name: pool.name,
    };
    let network = |network: wire::Network| NetworksPost {
        name: network.name,
        description: network.description,
        r#type: network.r#type,
        config: said(network.config),
    };
    let profile = |profile: wire::Profile| ProfilesPost {
        name: profile.name,
        description: profile.description,
        config: profile.config,
        devices: profile.devices,
    };
    let project = |project: wire::Project| ProjectsPost {
        name: project.name,
        description: project.description,
        config: project.config,
    };
    output::yaml(&Dump {
        config: without_password(server.config.unwrap_or_default()),
        storage_pools: pools.into_iter().map(pool).collect(),
        networks: networks.into_iter().filter(|one| one.managed).map(network).collect(),
        profiles: profiles.into_iter().map(profile).collect(),
        projects: projects.into_iter().map(project).collect(),
    })
}

/// That a password is set is shown, not which.
fn without_password(mut config: ConfigMap) -> ConfigMap {
    config.remove("core.trust_password");
    config
}

/// Where a pool is in the server's own folder, another server finds a place in its own.
fn without_own_folder(name: &str, mut config: ConfigMap) -> ConfigMap {
    let own = [format!("/storage-pools/{name}"), format!("/{name}.img")];
    if config.get("source").is_some_and(|source| own.iter().any(|end| source.ends_with(end))) {
        config.remove("source");
    }
    config
}

fn said(config: ConfigMap) -> ConfigMap {
    config.into_iter().filter(|(key, _)| !key.starts_with("volatile.")).collect()
}
