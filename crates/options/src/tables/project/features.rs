//! What a project has of its own, apart from the default project.

use crate::{Options, Raw};

/// What a project has of its own (`features.*`); otherwise it uses that of the default project.
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "project", group = "features")]
pub struct Features {
    /// Whether the project has images and aliases of its own.
    #[option(key = "features.images", default = "false", initial = "true", since = "projects")]
    pub images: bool,
    /// Whether the project has networks of its own.
    #[option(key = "features.networks", default = "false", since = "projects_networks")]
    pub networks: bool,
    /// Whether the project has network zones of its own.
    #[option(
        key = "features.networks.zones",
        default = "false",
        since = "projects_networks_zones"
    )]
    pub networks_zones: bool,
    /// Whether the project has profiles of its own.
    #[option(key = "features.profiles", default = "false", initial = "true", since = "projects")]
    pub profiles: bool,
    /// Whether the project has storage buckets of its own.
    #[option(
        key = "features.storage.buckets",
        default = "false",
        initial = "true",
        since = "storage_buckets"
    )]
    pub storage_buckets: bool,
    /// Whether the project has custom storage volumes of its own.
    #[option(
        key = "features.storage.volumes",
        default = "false",
        initial = "true",
        since = "projects"
    )]
    pub storage_volumes: bool,
}

impl Features {
    /// The configuration of the default project, which has everything of its own.
    pub fn of_default_project() -> Raw {
        Features::TABLE.options.iter().map(|opt| (opt.key, "true")).collect()
    }
}
