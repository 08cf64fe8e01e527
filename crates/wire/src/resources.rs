//! What the machine and its pools have.

use serde_json::Value;

api! {
    /// What the machine has. Kinds of hardware that are not looked at yet are left out.
    pub struct Resources {
        /// Processors.
        pub cpu: ResourcesCpu,
        /// Memory.
        pub memory: ResourcesMemory,
        /// Disks.
        pub storage: ResourcesStorage,
        /// Network cards.
        pub network: ResourcesNetwork,
        /// The machine.
        pub system: ResourcesSystem,
    }

    /// Processors.
    pub struct ResourcesCpu {
        /// Architecture.
        pub architecture: String,
        /// Sockets with their cores; as LXD describes them.
        pub sockets: Vec<Value>,
        /// Threads in all.
        pub total: u64,
    }

    /// Memory, in bytes.
    pub struct ResourcesMemory {
        /// In use.
        pub used: u64,
        /// There is.
        pub total: u64,
        /// Huge pages in all.
        pub hugepages_total: u64,
        /// Huge pages in use.
        pub hugepages_used: u64,
        /// Size of a huge page.
        pub hugepages_size: u64,
    }

    /// Disks.
    pub struct ResourcesStorage {
        /// Each disk; as LXD describes them.
        pub disks: Vec<Value>,
        /// Disks and partitions in all.
        pub total: u64,
    }

    /// Network cards.
    pub struct ResourcesNetwork {
        /// Each card; as LXD describes them.
        pub cards: Vec<Value>,
        /// Cards in all.
        pub total: u64,
    }

    /// The machine.
    pub struct ResourcesSystem {
        /// UUID.
        pub uuid: String,
        /// Maker.
        pub vendor: String,
        /// Product.
        pub product: String,
        /// `physical`, `virtual-machine` or `container`.
        pub r#type: String,
    }

    /// Room in a storage pool.
    pub struct ResourcesStoragePool {
        /// Bytes.
        pub space: ResourcesStoragePoolSpace,
        /// Inodes.
        pub inodes: ResourcesStoragePoolInodes,
    }

    /// Bytes of a storage pool.
    pub struct ResourcesStoragePoolSpace {
        /// In use.
        pub used: u64,
        /// There are.
        pub total: u64,
    }

    /// Inodes of a storage pool.
    pub struct ResourcesStoragePoolInodes {
        /// In use.
        pub used: u64,
        /// There are.
        pub total: u64,
    }
}
