//! The server itself: `/1.0`.

use crate::ConfigMap;

api! {
    /// What the server says about itself. A client that is not trusted sees neither `config` nor `environment`.
    pub struct Server {
        /// Names of the extensions of the API that this server has.
        pub api_extensions: Vec<String>,
        /// `stable`, `devel` or `deprecated`.
        pub api_status: String,
        /// `1.0`.
        pub api_version: String,
        /// `trusted` or `untrusted`: how the server sees this client.
        pub auth: String,
        /// Ways to authenticate: `tls`, `oidc`.
        pub auth_methods: Vec<String>,
        /// Whether only the public part of the API is served.
        pub public: bool,
        /// Who the client is.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub auth_user_name: String,
        /// How the client authenticated: `unix`, `tls`, `oidc`.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub auth_user_method: String,
        /// The server's options.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub config: Option<ConfigMap>,
        /// What the server runs on.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub environment: Option<ServerEnvironment>,
    }

    /// The server's options, to replace them.
    pub struct ServerPut {
        /// The options.
        pub config: ConfigMap,
    }

    /// What the server runs on and with.
    pub struct ServerEnvironment {
        /// Addresses the API is reached at.
        pub addresses: Vec<String>,
        /// Architectures of instances that can run here, the native one first.
        pub architectures: Vec<String>,
        /// The server's certificate, PEM.
        pub certificate: String,
        /// SHA-256 of the certificate, in hex.
        pub certificate_fingerprint: String,
        /// Kinds of instances, as names of their drivers joined by ` | `.
        pub driver: String,
        /// Versions of the drivers, in the same order.
        pub driver_version: String,
        /// Kinds of instances that can run here.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub instance_types: Vec<String>,
        /// What filters packets: `nftables`.
        pub firewall: String,
        /// Name of the kernel.
        pub kernel: String,
        /// Architecture of the kernel.
        pub kernel_architecture: String,
        /// Features of the kernel that were found, as `"true"` or `"false"`.
        pub kernel_features: ConfigMap,
        /// Release of the kernel.
        pub kernel_version: String,
        /// Features of the container runtime; kept for clients that look for it.
        pub lxc_features: ConfigMap,
        /// Name of the distribution.
        pub os_name: String,
        /// Version of the distribution.
        pub os_version: String,
        /// The project of this request.
        pub project: String,
        /// The server's own name: `microcloud`.
        pub server: String,
        /// Whether the server is a member of a cluster.
        pub server_clustered: bool,
        /// How events travel in the cluster: `full-mesh` or `hub-client`.
        pub server_event_mode: String,
        /// Host name, or name of the member.
        pub server_name: String,
        /// Process id of the daemon.
        pub server_pid: i64,
        /// Version of the daemon.
        pub server_version: String,
        /// Whether this is a release with long support.
        pub server_lts: bool,
        /// Storage drivers in use, joined by ` | `.
        pub storage: String,
        /// Their versions, in the same order.
        pub storage_version: String,
        /// Storage drivers that could be used.
        pub storage_supported_drivers: Vec<ServerStorageDriver>,
    }

    /// What a server writes to its disk. What the kernel does not count is none.
    pub struct Wear {
        /// Seconds since the daemon began.
        pub seconds: u64,
        /// Bytes that the daemon, and programs that it ran, wrote since then.
        pub server: Option<u64>,
        /// Those of them that are its database's.
        pub database: Option<u64>,
        /// Seconds since the machine's start.
        pub uptime: u64,
        /// Bytes that all programs wrote since then to the disk with the server's folder.
        pub disk: Option<u64>,
    }

    /// A storage driver that could be used.
    #[allow(non_snake_case, reason = "the API spells these with capitals")]
    pub struct ServerStorageDriver {
        /// The driver's name.
        pub Name: String,
        /// Version of its tools.
        pub Version: String,
        /// Whether its volumes are reached from every member.
        pub Remote: bool,
    }
}
