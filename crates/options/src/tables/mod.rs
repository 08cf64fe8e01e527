//! The declared options, one file an entity.

use crate::{Options, Table};

pub mod ceph;
pub mod device;
pub mod instance;
pub mod lvm;
pub mod member;
pub mod network;
pub mod project;
pub mod server;
pub mod storage;
pub mod zfs;

/// All tables of whole entities.
pub const TABLES: &[Table] = &[
    instance::InstanceOptions::TABLE,
    device::Disk::TABLE,
    device::Gpu::TABLE,
    device::NicBridged::TABLE,
    device::NicP2p::TABLE,
    device::Pci::TABLE,
    device::Proxy::TABLE,
    device::Tpm::TABLE,
    device::UnixBlock::TABLE,
    device::UnixChar::TABLE,
    device::UnixHotplug::TABLE,
    device::Usb::TABLE,
    network::BridgeOptions::TABLE,
    ceph::CephPoolOptions::TABLE,
    ceph::CephVolumeOptions::TABLE,
    lvm::LvmPoolOptions::TABLE,
    lvm::LvmVolumeOptions::TABLE,
    storage::BucketOptions::TABLE,
    storage::BucketOptions::LVM,
    storage::BucketOptions::ZFS,
    storage::BtrfsPoolOptions::TABLE,
    storage::DirPoolOptions::TABLE,
    storage::VolumeOptions::TABLE,
    storage::VolumeOptions::BTRFS,
    zfs::ZfsPoolOptions::TABLE,
    zfs::ZfsVolumeOptions::TABLE,
    project::ProjectOptions::TABLE,
    server::ServerOptions::TABLE,
    member::MemberOptions::TABLE,
];
