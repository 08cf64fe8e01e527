//! The declared options, one file an entity.

use crate::{Options, Table};

pub mod device;
pub mod instance;
pub mod lvm;
pub mod network;
pub mod project;
pub mod server;
pub mod storage;

/// All tables of whole entities.
pub const TABLES: &[Table] = &[
    instance::InstanceOptions::TABLE,
    device::Disk::TABLE,
    device::NicBridged::TABLE,
    device::NicP2p::TABLE,
    network::BridgeOptions::TABLE,
    lvm::LvmPoolOptions::TABLE,
    lvm::LvmVolumeOptions::TABLE,
    storage::BucketOptions::TABLE,
    storage::BucketOptions::LVM,
    storage::BtrfsPoolOptions::TABLE,
    storage::DirPoolOptions::TABLE,
    storage::VolumeOptions::TABLE,
    storage::VolumeOptions::BTRFS,
    project::ProjectOptions::TABLE,
    server::ServerOptions::TABLE,
];
