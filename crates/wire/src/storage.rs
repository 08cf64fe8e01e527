//! Storage pools.

use crate::ConfigMap;

api! {
    /// A storage pool.
    pub struct StoragePool {
        /// Name.
        pub name: String,
        /// Free text.
        pub description: String,
        /// `dir`, `btrfs`, `zfs`, `lvm`, `ceph`, `cephfs`, `cephobject`.
        pub driver: String,
        /// `Pending`, `Created`, `Errored` or `Unknown`.
        pub status: String,
        /// Options.
        pub config: ConfigMap,
        /// Addresses of what uses it.
        pub used_by: Vec<String>,
        /// Members it is on.
        pub locations: Vec<String>,
    }

    /// A pool's changeable part, to replace it.
    pub struct StoragePoolPut {
        /// Options.
        pub config: ConfigMap,
        /// Free text.
        pub description: String,
    }

    /// A new pool.
    pub struct StoragePoolsPost {
        /// Name.
        pub name: String,
        /// Free text.
        pub description: String,
        /// Driver.
        pub driver: String,
        /// Options.
        pub config: ConfigMap,
    }

    /// What a look at all of a pool found: the metadata of its operation.
    pub struct StoragePoolVerified {
        /// Whether the driver keeps checksums of everything.
        pub checksums: bool,
        /// Bytes that were compared with a checksum.
        pub bytes: u64,
        /// Places that were wrong and are right again, by a second copy.
        pub repaired: u64,
        /// Places that are wrong and stay so.
        pub damaged: u64,
        /// What is missing or damaged.
        pub problems: Vec<String>,
    }

    /// What opens an encrypted pool.
    pub struct StoragePoolUnlockPost {
        /// Its passphrase.
        pub passphrase: String,
    }

    /// Another key for an encrypted pool.
    pub struct StoragePoolRekeyPost {
        /// The passphrase it has now; empty where it has a key in a file.
        pub passphrase: String,
        /// The passphrase it gets; a new key in a file where it is empty.
        pub new_passphrase: String,
    }
}

impl StoragePool {
    /// The part that a PUT replaces, as it is now.
    pub fn writable(&self) -> StoragePoolPut {
        StoragePoolPut { config: self.config.clone(), description: self.description.clone() }
    }
}
