//! `init --preseed`: what a server should have, as YAML; the format of `lxd init --preseed`.
//!
//! What is missing is made. What is there gets the options and devices of the YAML on top of its own, so the same
//! YAML may be given again; a server that is a member of a cluster already stays what it is.

use serde::Deserialize;
use wire::{
    ClusterPut, ConfigMap, Empty, NetworksPost, ProfilesPost, ProjectsPost, ServerPut,
    StoragePoolsPost,
    endpoints::{
        cluster::ClusterGet, networks::NetworkCreate, profiles::ProfileCreate,
        projects::ProjectCreate, server::ServerPatch, storage::StoragePoolCreate,
    },
    query::{NoQuery, ProjectQuery, TargetQuery},
};

use crate::{
    commands::{
        cluster::enter, network::Networks, profile::Profiles, project::Projects, storage::Pools,
    },
    context::Context,
    error::{Error, Result},
    thing::{self, Thing},
};

/// What the server should have.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Preseed {
    config: ConfigMap,
    projects: Vec<ProjectsPost>,
    storage_pools: Vec<StoragePoolsPost>,
    networks: Vec<NetworkIn>,
    profiles: Vec<ProfilesPost>,
    cluster: Option<ClusterIn>,
}

/// The place in a cluster: what the API takes, or a file with the cluster's certificate.
#[derive(Debug, Default, Deserialize)]
struct ClusterIn {
    #[serde(default)]
    cluster_certificate_path: String,
    #[serde(flatten)]
    put: ClusterPut,
}

/// A network in a project.
#[derive(Debug, Default, Deserialize)]
struct NetworkIn {
    #[serde(default)]
    project: Option<String>,
    #[serde(flatten)]
    network: NetworksPost,
}

impl Preseed {
    /// Makes it so.
    pub(super) async fn apply(self, cx: &Context) -> Result<()> {
        let joins = match self.cluster {
            Some(cluster) => place(cx, cluster, &self.config).await?,
            None => false,
        };
        // What a server has that joins is the cluster's by then.
        if !(joins || self.config.is_empty()) {
            patch_server(cx, self.config).await?;
        }
        for project in self.projects {
            make_project(cx, project).await?;
        }
        for pool in self.storage_pools {
            make_pool(cx, pool).await?;
        }
        for network in self.networks {
            make_network(cx, network).await?;
        }
        for profile in self.profiles {
            make_profile(cx, profile).await?;
        }
        Ok(())
    }
}

/// Gives the server its place in a cluster; whether it has joined one.
async fn place(cx: &Context, cluster: ClusterIn, config: &ConfigMap) -> Result<bool> {
    let ClusterIn { cluster_certificate_path: path, mut put } = cluster;
    if !put.enabled {
        return Ok(false);
    }
    let joins = !(put.cluster_token.is_empty() && put.cluster_address.is_empty());
    let found = cx.client.get::<ClusterGet>(&[], &NoQuery {}).await?;
    if !joins {
        // The doors are to be where the rest of the YAML says.
        let said = ["cluster.https_address", "core.https_address"];
        let said = said.iter().find_map(|key| config.get(*key));
        if put.server_address.is_empty() {
            put.server_address = said.cloned().unwrap_or_default();
        }
        super::enable(cx, &put.server_name, &put.server_address).await?;
        return Ok(false);
    }
    if found.enabled {
        let wanted = put.server_name;
        return match wanted.is_empty() || wanted == found.server_name {
            true => Ok(true),
            false => Err(Error::Named { is: found.server_name, wanted }),
        };
    }
    if !path.is_empty() {
        let path = std::path::PathBuf::from(path);
        let text = std::fs::read_to_string(&path);
        put.cluster_certificate = text.map_err(|source| Error::File { path, source })?;
    }
    enter(cx, &put).await?;
    Ok(true)
}

async fn patch_server(cx: &Context, config: ConfigMap) -> Result<()> {
    let fields = serde_json::Map::from_iter([("config".to_owned(), serde_json::json!(config))]);
    let patch = wire::Patch::<ServerPut>::new(fields);
    let Empty {} = cx.client.call::<ServerPatch>(&[], &TargetQuery::default(), &patch).await?;
    Ok(())
}

async fn make_project(cx: &Context, post: ProjectsPost) -> Result<()> {
    if !exists::<Projects>(cx, &post.name).await? {
        cx.client.call::<ProjectCreate>(&[], &NoQuery {}, &post).await?;
        return Ok(());
    }
    add::<Projects>(cx, &post.name, post.config).await
}

async fn make_pool(cx: &Context, post: StoragePoolsPost) -> Result<()> {
    if !exists::<Pools>(cx, &post.name).await? {
        cx.client.call::<StoragePoolCreate>(&[], &cx.target(), &post).await?;
        return Ok(());
    }
    add::<Pools>(cx, &post.name, post.config).await
}

async fn make_network(cx: &Context, post: NetworkIn) -> Result<()> {
    let NetworkIn { project, network } = post;
    if !exists::<Networks>(cx, &network.name).await? {
        let query = TargetQuery { project: project.or_else(|| cx.project.clone()), target: None };
        cx.client.call::<NetworkCreate>(&[], &query, &network).await?;
        return Ok(());
    }
    add::<Networks>(cx, &network.name, network.config).await
}

async fn make_profile(cx: &Context, post: ProfilesPost) -> Result<()> {
    if !exists::<Profiles>(cx, &post.name).await? {
        let query = ProjectQuery { project: cx.project.clone() };
        cx.client.call::<ProfileCreate>(&[], &query, &post).await?;
        return Ok(());
    }
    thing::change::<Profiles>(cx, &post.name, |put| {
        put.config.extend(post.config);
        put.devices.extend(post.devices);
        Ok(())
    })
    .await
}

async fn exists<T: Thing>(cx: &Context, name: &str) -> Result<bool> {
    match T::load(cx, name).await {
        Ok(_) => Ok(true),
        Err(Error::Client(error)) if error.code() == Some(404) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Puts options on top of those it has.
async fn add<T: Thing>(cx: &Context, name: &str, config: ConfigMap) -> Result<()> {
    thing::change::<T>(cx, name, |put| {
        T::config(put).extend(config);
        Ok(())
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preseed_of_lxd_is_understood() {
        let text = "
config:
  core.https_address: '[::]:8443'
  images.auto_update_interval: 15
networks:
- name: lxdbr0
  type: bridge
  project: default
  config:
    ipv4.address: auto
storage_pools:
- name: data
  driver: dir
profiles:
- name: default
  devices:
    root:
      path: /
      pool: data
      type: disk
";
        let preseed: Preseed = serde_saphyr::from_str(text).unwrap();
        assert_eq!(preseed.config["images.auto_update_interval"], "15");
        assert_eq!(preseed.networks[0].project.as_deref(), Some("default"));
        assert_eq!(preseed.networks[0].network.config["ipv4.address"], "auto");
        assert_eq!(preseed.storage_pools[0].driver, "dir");
        assert_eq!(preseed.profiles[0].devices["root"]["pool"], "data");
        assert!(preseed.cluster.is_none());
    }

    #[test]
    fn a_place_in_a_cluster_is_understood() {
        let text = "
cluster:
  enabled: true
  server_name: m2
  server_address: 10.0.0.2:8443
  cluster_token: abc
  member_config:
  - entity: storage-pool
    name: data
    key: source
    value: /dev/sdb
";
        let preseed: Preseed = serde_saphyr::from_str(text).unwrap();
        let put = preseed.cluster.unwrap().put;
        assert!(put.enabled);
        assert_eq!((put.server_name.as_str(), put.cluster_token.as_str()), ("m2", "abc"));
        assert_eq!(put.member_config[0].value, "/dev/sdb");
    }
}
