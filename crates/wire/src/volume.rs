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
        /// What it is a copy of, if it is one.
        #[serde(skip_serializing_if = "StorageVolumeSource::is_nothing")]
        pub source: StorageVolumeSource,
    }

    /// What a new volume is a copy of.
    pub struct StorageVolumeSource {
        /// `copy`, or empty: of nothing.
        pub r#type: String,
        /// Volume, or snapshot of one (`volume/snapshot`).
        pub name: String,
        /// Pool it is in; empty is the new volume's.
        pub pool: String,
        /// Project it is in; empty is the new volume's.
        pub project: String,
        /// Member it is on.
        pub location: String,
        /// Whether its snapshots stay behind.
        pub volume_only: bool,
        /// Whether a volume that is there already is brought up to it.
        pub refresh: bool,
    }

    /// A volume's new name or place.
    pub struct StorageVolumePost {
        /// Name.
        pub name: String,
        /// Pool; empty leaves it where it is.
        pub pool: String,
        /// Project; empty leaves it where it is.
        pub project: String,
        /// Whether it goes to another server.
        pub migration: bool,
        /// Whether its snapshots stay behind.
        pub volume_only: bool,
    }

    /// What there is to say of a volume now.
    pub struct StorageVolumeState {
        /// Its room; none where counting would take too long.
        pub usage: Option<StorageVolumeStateUsage>,
    }

    /// Room of a volume.
    pub struct StorageVolumeStateUsage {
        /// Bytes taken.
        pub used: u64,
        /// Bytes it may take; 0 is as many as the pool has.
        pub total: u64,
    }

    /// A snapshot of a volume.
    pub struct StorageVolumeSnapshot {
        /// Name, without the volume's.
        pub name: String,
        /// Free text.
        pub description: String,
        /// `filesystem`, `block` or `iso`.
        pub content_type: String,
        /// When it was made.
        pub created_at: Timestamp,
        /// When it is deleted by itself.
        pub expires_at: Timestamp,
        /// The volume's options then.
        pub config: ConfigMap,
    }

    /// A new snapshot of a volume.
    pub struct StorageVolumeSnapshotsPost {
        /// Name; the server finds one when it is empty.
        pub name: String,
        /// Free text.
        pub description: String,
        /// When to delete it by itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub expires_at: Option<Timestamp>,
    }

    /// A volume's snapshot's new name.
    pub struct StorageVolumeSnapshotPost {
        /// The name.
        pub name: String,
    }

    /// The changeable part of a volume's snapshot.
    pub struct StorageVolumeSnapshotPut {
        /// Free text.
        pub description: String,
        /// When to delete it by itself.
        pub expires_at: Timestamp,
    }
}

impl StorageVolume {
    /// The part that a PUT replaces, as it is now.
    pub fn writable(&self) -> StorageVolumePut {
        StorageVolumePut {
            config: self.config.clone(),
            description: self.description.clone(),
            restore: String::new(),
        }
    }
}

impl StorageVolumeSource {
    /// Whether there is nothing to copy.
    pub fn is_nothing(&self) -> bool {
        self.r#type.is_empty()
    }
}

impl StorageVolumeSnapshot {
    /// The part that a PUT replaces, as it is now.
    pub fn writable(&self) -> StorageVolumeSnapshotPut {
        StorageVolumeSnapshotPut {
            description: self.description.clone(),
            expires_at: self.expires_at,
        }
    }
}
