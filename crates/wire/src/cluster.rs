//! Several machines as one cloud.

use std::collections::BTreeMap;

use crate::{ConfigMap, ResourcesStoragePool};

api! {
    /// Whether the server is in a cluster, and what a server that joins has to say of itself.
    pub struct Cluster {
        /// The member's name; empty outside a cluster.
        pub server_name: String,
        /// Whether it is in a cluster.
        pub enabled: bool,
        /// Keys that each member has its own value of.
        pub member_config: Vec<ClusterMemberConfigKey>,
    }

    /// A key that each member has its own value of.
    pub struct ClusterMemberConfigKey {
        /// `storage-pool` or `network`.
        pub entity: String,
        /// Name of the pool or network.
        pub name: String,
        /// The key.
        pub key: String,
        /// Its value on the member that joins.
        pub value: String,
        /// What it is, for people.
        pub description: String,
    }

    /// Makes the server the first member of a cluster, or has it join one.
    pub struct ClusterPut {
        /// The name that the member is to have.
        pub server_name: String,
        /// Whether it is to be in a cluster.
        pub enabled: bool,
        /// Values of the keys that each member has its own of.
        pub member_config: Vec<ClusterMemberConfigKey>,
        /// Where a member of the cluster is, `host:port`.
        pub cluster_address: String,
        /// Certificate of the cluster, PEM, or its fingerprint.
        pub cluster_certificate: String,
        /// Where the server is to be reached, `host:port`.
        pub server_address: String,
        /// Secret of the token.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub cluster_password: String,
        /// The token, which says all of the three.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub cluster_token: String,
    }

    /// The cluster's certificate and its key, to replace them.
    pub struct ClusterCertificatePut {
        /// The certificate, PEM.
        pub cluster_certificate: String,
        /// The key, PEM.
        pub cluster_certificate_key: String,
    }

    /// A token for a server that is to join.
    pub struct ClusterMembersPost {
        /// The name that it is to have.
        pub server_name: String,
    }

    /// What such a token says, as JSON in base64.
    pub struct ClusterMemberJoinToken {
        /// The name that the new member is to have.
        pub server_name: String,
        /// SHA-256 of the cluster's certificate, in hex.
        pub fingerprint: String,
        /// Where members are.
        pub addresses: Vec<String>,
        /// What the cluster knows the token by.
        pub secret: String,
        /// Until when it can be used.
        pub expires_at: crate::Timestamp,
    }

    /// A member of the cluster.
    pub struct ClusterMember {
        /// Name.
        pub server_name: String,
        /// Where it is, `https://host:port`.
        pub url: String,
        /// Whether it has a vote.
        pub database: bool,
        /// `Online`, `Offline`, `Evacuated` or `Joining`.
        pub status: String,
        /// The status in words.
        pub message: String,
        /// LXD's name of the CPU architecture.
        pub architecture: String,
        /// `database-leader`, `database`, `database-standby`.
        pub roles: Vec<String>,
        /// What fails together with it.
        pub failure_domain: String,
        /// Free text.
        pub description: String,
        /// Configuration.
        pub config: ConfigMap,
        /// Groups it is in.
        pub groups: Vec<String>,
    }

    /// A member's changeable part, to replace it.
    pub struct ClusterMemberPut {
        /// Roles; those of the database are given out by the cluster itself.
        pub roles: Vec<String>,
        /// What fails together with it.
        pub failure_domain: String,
        /// Free text.
        pub description: String,
        /// Configuration.
        pub config: ConfigMap,
        /// Groups it is in.
        pub groups: Vec<String>,
    }

    /// A member's new name.
    pub struct ClusterMemberPost {
        /// The name.
        pub server_name: String,
    }

    /// How a server goes on without the members that were lost.
    pub struct ClusterRecoverPost {
        /// Whether it does so although some of them can be reached.
        pub force: bool,
    }

    /// How busy a member's machine is, and of what version it is (between members only).
    pub struct Pulse {
        /// Processors.
        pub cpus: u64,
        /// Its load of the last minute, in hundredths.
        pub load: u64,
        /// Bytes of memory.
        pub memory: u64,
        /// Bytes of it that a new program could have.
        pub available: u64,
        /// Its version; empty of one that works beside none that is newer.
        pub version: String,
        /// The level of the database up to which it knows it.
        pub schema: u32,
        /// Why it does nothing but vote; empty while it works.
        pub halted: String,
    }

    /// What is to become of a member, for maintenance.
    pub struct ClusterMemberStatePost {
        /// `evacuate` or `restore`.
        pub action: String,
        /// What happens to its instances, in place of their `cluster.evacuate`; empty leaves it to them.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub mode: String,
    }

    /// An instance is to go to the member that asks, and run there if it runs (between members only).
    pub struct ClusterInstancesPut {
        /// Its project.
        pub project: String,
        /// Its name.
        pub name: String,
    }

    /// An instance is to come from the member that asks (between members only).
    pub struct ClusterInstancesPost {
        /// Its project.
        pub project: String,
        /// Its name.
        pub name: String,
        /// The name that it is to have.
        pub new_name: String,
        /// The pool that is to have its root.
        pub pool: String,
        /// The number of the move.
        pub number: String,
        /// Whether it runs, and comes with its memory.
        pub live: bool,
        /// Whether its disk stays where it is, in a pool that members share.
        pub shared: bool,
    }

    /// How a member is.
    pub struct ClusterMemberState {
        /// Its machine.
        pub sysinfo: ClusterMemberSysInfo,
        /// Room in its parts of storage pools, by their names.
        pub storage_pools: BTreeMap<String, ResourcesStoragePool>,
    }

    /// Load and memory of a member's machine.
    pub struct ClusterMemberSysInfo {
        /// Seconds since its start.
        pub uptime: i64,
        /// How many processes run or want to, over 1, 5 and 15 minutes.
        pub load_averages: Vec<f64>,
        /// Memory, in bytes.
        pub total_ram: u64,
        /// Memory that is used for nothing, in bytes.
        pub free_ram: u64,
        /// Memory that processes share, in bytes.
        pub shared_ram: u64,
        /// Memory that holds parts of disks, in bytes.
        pub buffered_ram: u64,
        /// Swap space, in bytes.
        pub total_swap: u64,
        /// Swap space that is free, in bytes.
        pub free_swap: u64,
        /// Processes and their threads.
        pub processes: u16,
        /// Processors that are online.
        pub logical_cpus: u64,
    }

    /// A group of members.
    pub struct ClusterGroup {
        /// Name.
        pub name: String,
        /// Free text.
        pub description: String,
        /// The members in it.
        pub members: Vec<String>,
    }

    /// A group of members that is to be made.
    pub struct ClusterGroupsPost {
        /// Name.
        pub name: String,
        /// Free text.
        pub description: String,
        /// The members in it.
        pub members: Vec<String>,
    }

    /// A group's changeable part, to replace it.
    pub struct ClusterGroupPut {
        /// Free text.
        pub description: String,
        /// The members in it.
        pub members: Vec<String>,
    }

    /// A group's new name.
    pub struct ClusterGroupPost {
        /// The name.
        pub name: String,
    }

    /// A server asks to be let in (between members only).
    pub struct JoinPost {
        /// Secret of the token.
        pub secret: String,
        /// The name it is to have.
        pub name: String,
        /// Where it can be reached, `host:port`.
        pub address: String,
        /// LXD's name of its CPU architecture.
        pub architecture: String,
        /// The newest level of the database's schema that it knows.
        pub schema: u32,
        /// Its own values of keys that each member has its own of.
        pub member_config: Vec<ClusterMemberConfigKey>,
        /// Options of the server that each member has alone.
        pub server_config: ConfigMap,
    }

    /// What it needs to begin.
    pub struct Joined {
        /// Its number.
        pub id: u64,
        /// The cluster's identity.
        pub cluster: String,
        /// The cluster's certificate, PEM.
        pub certificate: String,
        /// The key to it, PEM.
        pub key: String,
        /// Those who are there.
        pub members: Vec<JoinedMember>,
    }

    /// What a member says of another, or of one that was (between members only).
    pub struct Standing {
        /// The cluster's identity.
        pub cluster: String,
        /// Whether it has a member of that number.
        pub member: bool,
    }

    /// One who is there.
    pub struct JoinedMember {
        /// Its number.
        pub id: u64,
        /// Where it is, `host:port`.
        pub address: String,
        /// SHA-256 of its own certificate, in hex.
        pub fingerprint: String,
    }
}

impl ClusterMember {
    /// The part that a PUT replaces, as it is now.
    pub fn writable(&self) -> ClusterMemberPut {
        ClusterMemberPut {
            roles: self.roles.clone(),
            failure_domain: self.failure_domain.clone(),
            description: self.description.clone(),
            config: self.config.clone(),
            groups: self.groups.clone(),
        }
    }
}

impl ClusterGroup {
    /// The part that a PUT replaces, as it is now.
    pub fn writable(&self) -> ClusterGroupPut {
        ClusterGroupPut { description: self.description.clone(), members: self.members.clone() }
    }
}
