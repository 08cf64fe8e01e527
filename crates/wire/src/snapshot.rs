//! Snapshots of instances.

use crate::{ConfigMap, DevicesMap, Timestamp};

api! {
    /// A snapshot of an instance.
    pub struct InstanceSnapshot {
        /// Name, without the instance's.
        pub name: String,
        /// When it was made.
        pub created_at: Timestamp,
        /// When it is deleted by itself.
        pub expires_at: Timestamp,
        /// When the instance was last started before it.
        pub last_used_at: Timestamp,
        /// Kernel architecture.
        pub architecture: String,
        /// Own options then.
        pub config: ConfigMap,
        /// Own devices then.
        pub devices: DevicesMap,
        /// All options then.
        pub expanded_config: ConfigMap,
        /// All devices then.
        pub expanded_devices: DevicesMap,
        /// Whether the instance was ephemeral.
        pub ephemeral: bool,
        /// Profiles then.
        pub profiles: Vec<String>,
        /// Whether it holds the run-time state.
        pub stateful: bool,
        /// Bytes it takes; -1 when not known.
        pub size: i64,
    }

    /// A new snapshot.
    pub struct InstanceSnapshotsPost {
        /// Name; the server finds one when it is empty.
        pub name: String,
        /// Whether to keep the run-time state.
        pub stateful: bool,
        /// When to delete it by itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub expires_at: Option<Timestamp>,
    }

    /// A snapshot's new name.
    pub struct InstanceSnapshotPost {
        /// The name.
        pub name: String,
        /// Whether it is copied to another server.
        pub migration: bool,
        /// Whether with the run-time state.
        pub live: bool,
    }

    /// A snapshot's changeable part.
    pub struct InstanceSnapshotPut {
        /// When to delete it by itself.
        pub expires_at: Timestamp,
    }
}

impl InstanceSnapshot {
    /// The part that a PUT replaces, as it is now.
    pub fn writable(&self) -> InstanceSnapshotPut {
        InstanceSnapshotPut { expires_at: self.expires_at }
    }
}
