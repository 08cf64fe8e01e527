//! Storage volumes.

use crate::{ConfigMap, Timestamp};

api! {
    /// A storage volume, or a snapshot of one (`volume/snapshot`).
    pub struct StorageVolume {
        /// Name.
        pub name: String,
        /// Free text.
        pub description: String,
        /// `container`, `virtual-machine`, `image` or `custom`.
        pub r#type: String,
        /// `filesystem`, `block` or `iso`.
        pub content_type: String,
        /// Options.
        pub config: ConfigMap,
        /// Addresses of what uses it.
        pub used_by: Vec<String>,
        /// Member it was found on.
        pub location: String,
        /// Project it is in.
        pub project: String,
        /// When it was made.
        pub created_at: Timestamp,
        /// Pool it is in.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub pool: String,
    }

    /// A volume's changeable part, to replace it.
    pub struct StorageVolumePut {
        /// Options.
        pub config: ConfigMap,
        /// Free text.
        pub description: String,
        /// Snapshot to go back to.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub restore: String,
    }

    /// A new volume.
    pub struct StorageVolumesPost {
        /// Name.
        pub name: String,
        /// `custom`.
        pub r#type: String,
        /// `filesystem`, `block` or `iso`; empty is `filesystem`.
        pub content_type: String,
        /// Free text.
        pub description: String,
        /// Options.
        pub config: ConfigMap,
    }
}
