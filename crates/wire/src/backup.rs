//! Backups of instances, volumes and buckets.

use crate::{ConfigMap, Timestamp};

api! {
    /// A backup of an instance: a file that waits to be fetched.
    pub struct InstanceBackup {
        /// Name, without the instance's.
        pub name: String,
        /// When it was made.
        pub created_at: Timestamp,
        /// When it is deleted by itself.
        pub expires_at: Timestamp,
        /// Whether the snapshots were left out.
        pub instance_only: bool,
        /// The same by its older name.
        pub container_only: bool,
        /// Whether it holds what only the pool's driver can read.
        pub optimized_storage: bool,
    }

    /// A new backup.
    pub struct InstanceBackupsPost {
        /// Name; the server finds one when it is empty.
        pub name: String,
        /// When to delete it by itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub expires_at: Option<Timestamp>,
        /// Whether to leave the snapshots out.
        pub instance_only: bool,
        /// The same by its older name.
        #[serde(skip_serializing_if = "crate::lenient::is_false")]
        pub container_only: bool,
        /// Whether it may be what only the pool's driver can read.
        pub optimized_storage: bool,
        /// How to compress it: `none`, `gzip`, `zstd -3`, `xz`, `lzma`.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub compression_algorithm: String,
    }

    /// A backup's new name.
    pub struct InstanceBackupPost {
        /// The name.
        pub name: String,
    }

    /// A backup of a custom volume: a file that waits to be fetched.
    pub struct StorageVolumeBackup {
        /// Name, without the volume's.
        pub name: String,
        /// When it was made.
        pub created_at: Timestamp,
        /// When it is deleted by itself.
        pub expires_at: Timestamp,
        /// Whether the snapshots were left out.
        pub volume_only: bool,
        /// Whether it holds what only the pool's driver can read.
        pub optimized_storage: bool,
    }

    /// A new backup of a custom volume.
    pub struct StorageVolumeBackupsPost {
        /// Name; the server finds one when it is empty.
        pub name: String,
        /// When to delete it by itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub expires_at: Option<Timestamp>,
        /// Whether to leave the snapshots out.
        pub volume_only: bool,
        /// Whether it may be what only the pool's driver can read.
        pub optimized_storage: bool,
        /// How to compress it: `none`, `gzip`, `zstd -3`, `xz`, `lzma`.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub compression_algorithm: String,
    }

    /// A new name of a backup of a custom volume.
    pub struct StorageVolumeBackupPost {
        /// The name.
        pub name: String,
    }

    /// A backup of a bucket: a file that waits to be fetched.
    pub struct StorageBucketBackup {
        /// Name, without the bucket's.
        pub name: String,
        /// When it was made.
        pub created_at: Timestamp,
        /// When it is deleted by itself.
        pub expires_at: Timestamp,
    }

    /// A new backup of a bucket.
    pub struct StorageBucketBackupsPost {
        /// Name; the server finds one when it is empty.
        pub name: String,
        /// When to delete it by itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub expires_at: Option<Timestamp>,
        /// How to compress it: `none`, `gzip`, `zstd -3`, `xz`, `lzma`.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub compression_algorithm: String,
    }

    /// A new name of a backup of a bucket.
    pub struct StorageBucketBackupPost {
        /// The name.
        pub name: String,
    }

    /// A snapshot of a volume, as the index of a backup has it.
    pub struct BackupVolumeSnapshot {
        /// Its name, without that of the volume.
        pub name: String,
        /// Free text.
        pub description: String,
        /// Options.
        pub config: ConfigMap,
        /// `filesystem` or `block`.
        pub content_type: String,
        /// When it was taken.
        pub created_at: Timestamp,
        /// When it is deleted by itself.
        pub expires_at: Timestamp,
    }
}
