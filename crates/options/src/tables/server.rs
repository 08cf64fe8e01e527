//! Options of the server.

use std::collections::BTreeMap;

use crate::{
    Bounded, Compression, Expiry, List, ListenAddress, Options, PoolVolume, Url, values::choice,
};

/// Options of the server.
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "server", group = "core")]
pub struct ServerOptions {
    /// Where the API listens for clients over HTTPS.
    ///
    /// Without a port, on 8443.
    #[option(key = "core.https_address", scope = local)]
    pub https_address: Option<ListenAddress>,
    /// Whether browsers may send credentials from other sites.
    #[option(key = "core.https_allowed_credentials", default = "false")]
    pub https_allowed_credentials: bool,
    /// Headers that browsers may send from other sites.
    #[option(key = "core.https_allowed_headers")]
    pub https_allowed_headers: Option<String>,
    /// Methods that browsers may use from other sites.
    #[option(key = "core.https_allowed_methods")]
    pub https_allowed_methods: Option<String>,
    /// Sites whose pages may use the API in a browser.
    #[option(key = "core.https_allowed_origin")]
    pub https_allowed_origin: Option<String>,
    /// Where what monitoring asks for is served over HTTPS, and nothing else.
    ///
    /// Without a port, on 9100.
    #[option(key = "core.metrics_address", scope = local, since = "metrics")]
    pub metrics_address: Option<ListenAddress>,
    /// Whether only who is trusted may see metrics.
    #[option(
        key = "core.metrics_authentication",
        default = "true",
        since = "metrics_authentication"
    )]
    pub metrics_authentication: bool,
    /// Proxy for `http`.
    #[option(key = "core.proxy_http", default_text = "that of the environment")]
    pub proxy_http: Option<Url>,
    /// Proxy for `https`.
    #[option(key = "core.proxy_https", default_text = "that of the environment")]
    pub proxy_https: Option<Url>,
    /// Hosts reached without a proxy.
    #[option(key = "core.proxy_ignore_hosts", default_text = "that of the environment")]
    pub proxy_ignore_hosts: Option<List<String>>,
    /// How long a token for a new client can be used.
    #[option(key = "core.remote_token_expiry", default_text = "no end")]
    pub remote_token_expiry: Option<Expiry>,
    /// Where buckets are served to S3 clients.
    ///
    /// Without a port, on 8555.
    #[option(key = "core.storage_buckets_address", scope = local, since = "storage_buckets_local")]
    pub storage_buckets_address: Option<ListenAddress>,
    /// Whether clients that the authority in `server.ca` vouches for are trusted.
    ///
    /// They may do everything. Without it, their certificates must have been added as well.
    #[option(key = "core.trust_ca_certificates", default = "false")]
    pub trust_ca_certificates: bool,
    /// A password that clients may bring in place of a token.
    ///
    /// Kept as a hash, and shown as `true`. A token is better: it is good once, for one client, and can be restricted.
    #[option(key = "core.trust_password")]
    pub trust_password: Option<String>,
    /// Minutes that running operations have to finish when the server stops.
    #[option(key = "core.shutdown_timeout", default = "5")]
    pub shutdown_timeout: u32,

    /// How backups are compressed.
    #[option(
        key = "backups.compression_algorithm",
        group = "miscellaneous",
        default = "gzip",
        since = "backup_compression"
    )]
    pub backups_compression: Compression,

    /// Whether images fetched on demand are kept up to date.
    #[option(key = "images.auto_update_cached", group = "images", default = "true")]
    pub images_auto_update_cached: bool,
    /// Hours between looking for newer images; 0 means never.
    #[option(key = "images.auto_update_interval", group = "images", default = "6")]
    pub images_auto_update_interval: u32,
    /// How new images are compressed.
    #[option(key = "images.compression_algorithm", group = "images", default = "gzip")]
    pub images_compression: Compression,
    /// Architecture of images that are asked for without one.
    #[option(
        key = "images.default_architecture",
        group = "images",
        default_text = "that of the machine"
    )]
    pub images_default_architecture: Option<String>,
    /// Days that an image fetched on demand is kept unused.
    #[option(key = "images.remote_cache_expiry", group = "images", default = "10")]
    pub images_remote_cache_expiry: u32,

    /// Whether new virtual machines can be moved while they run.
    ///
    /// And stopped with what they have in memory. They get `migration.stateful=true`, unless they or their profiles say something of it.
    #[option(
        key = "instances.migration.stateful",
        group = "miscellaneous",
        default = "false",
        since = "instances_migration_stateful"
    )]
    pub instances_migration_stateful: bool,
    /// How the host's links of instances are named when they start.
    #[option(
        key = "instances.nic.host_name",
        group = "miscellaneous",
        default = "random",
        since = "instances_nic_host_name"
    )]
    pub instances_nic_host_name: LinkNames,

    /// Where the other members of the cluster reach this one.
    ///
    /// Without it, where clients do. Without a port, on 8443.
    #[option(key = "cluster.https_address", group = "cluster", scope = local)]
    pub cluster_address: Option<ListenAddress>,
    /// How long a token for a new member can be used.
    #[option(key = "cluster.join_token_expiry", group = "cluster", default = "3H")]
    pub join_token_expiry: Option<Expiry>,
    /// How many members have a vote, an odd number.
    #[option(key = "cluster.max_voters", group = "cluster", default = "3")]
    pub max_voters: u32,
    /// How many members without a vote are named as those who get the next one.
    ///
    /// All members have the database, whatever their number is.
    #[option(key = "cluster.max_standby", group = "cluster", default = "2")]
    pub max_standby: Bounded<0, 5>,
    /// For how many seconds a member may be off before another one gets its vote.
    #[option(key = "cluster.offline_threshold", group = "cluster", default = "20")]
    pub offline_threshold: Bounded<10, 86_400>,
    /// After how many seconds others start what a member has that is off.
    ///
    /// 0: never. Only instances whose volumes are all in pools that members share.
    #[option(key = "cluster.healing_threshold", group = "cluster", default = "0")]
    pub healing_threshold: Bounded<0, 86_400>,
    /// On how many members each image is kept.
    ///
    /// `-1`: on all of them. A member that needs an image which it does not have fetches it from another.
    #[option(key = "cluster.images_minimal_replica", group = "cluster", default = "3")]
    pub images_minimal_replica: Bounded<-1, 65_535>,
    /// The volume on which the files of backups are kept: `POOL/VOLUME`.
    ///
    /// A custom volume of files in the project `default`, which nobody uses and which has no snapshots. What there is
    /// is moved to it. Empty: in the server's own folder.
    #[option(
        key = "storage.backups_volume",
        group = "miscellaneous",
        scope = local,
        since = "daemon_storage",
        default_text = "the server's own folder"
    )]
    pub backups_volume: Option<PoolVolume>,
    /// The volume on which the files of images are kept: `POOL/VOLUME`.
    ///
    /// A custom volume of files in the project `default`, which nobody uses and which has no snapshots. What there is
    /// is moved to it. Empty: in the server's own folder.
    #[option(
        key = "storage.images_volume",
        group = "miscellaneous",
        scope = local,
        since = "daemon_storage",
        default_text = "the server's own folder"
    )]
    pub images_volume: Option<PoolVolume>,

    /// Anything you want to note.
    #[option(pattern = "user.*", group = "miscellaneous")]
    pub user: BTreeMap<String, String>,
}

choice! {
    /// How the host's end of an instance's network device is named, unless the device says it.
    pub enum LinkNames { Random = "random", Mac = "mac" }
}
