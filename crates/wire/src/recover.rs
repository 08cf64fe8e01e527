//! Recovery after the database is gone.

use crate::StoragePoolsPost;

api! {
    /// Where to look, beside the pools that the server finds itself.
    pub struct RecoverPost {
        /// Pools by name, driver and source.
        pub pools: Vec<StoragePoolsPost>,
    }

    /// What is, or was, to be recovered.
    pub struct Recovered {
        /// Pools that the database does not have.
        #[serde(rename = "UnknownPools")]
        pub pools: Vec<String>,
        /// Volumes that it does not have.
        #[serde(rename = "UnknownVolumes")]
        pub volumes: Vec<RecoveredVolume>,
        /// What cannot be recovered, and why.
        #[serde(rename = "DependencyErrors")]
        pub problems: Vec<String>,
    }

    /// A volume that the database does not have.
    pub struct RecoveredVolume {
        /// Name.
        pub name: String,
        /// `container`, `virtual-machine`, `custom` or `bucket`.
        pub r#type: String,
        /// How many snapshots it has.
        #[serde(rename = "snapshotCount")]
        pub snapshots: usize,
        /// Project.
        pub project: String,
        /// Pool.
        pub pool: String,
    }
}
