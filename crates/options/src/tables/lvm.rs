//! Options of storage pools on a volume group, and of the volumes in them.

use std::collections::BTreeMap;

use super::storage::VolumeOptions;
use super::zfs::DatasetOptions;
use crate::values::choice;
use crate::{Options, Size};

choice! {
    /// What is made in a new volume of files.
    pub enum BlockFileSystem { Ext4 = "ext4", Xfs = "xfs" }
}

/// Options of a pool on a volume group.
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "storage-lvm", group = "pool-conf")]
pub struct LvmPoolOptions {
    /// Disk, partition, or volume group that the pool is on.
    #[option(
        key = "source",
        apply = create,
        scope = local,
        default_text = "a file of the server's own"
    )]
    pub source: Option<String>,
    /// Whether what is on the source may be overwritten.
    #[option(key = "source.wipe", apply = create, scope = local, default = "false")]
    pub wipe: bool,
    /// Whether the pool is encrypted.
    ///
    /// As LUKS2, with a key that the server makes and keeps in its folder `storage-keys`: without it
    /// nothing of the pool can be read. Only on a disk, or in a file of the server's own.
    #[option(key = "source.encrypt", apply = create, scope = local, default = "false")]
    pub encrypt: bool,
    /// Size of the file that the pool is in.
    ///
    /// It can grow and not shrink.
    #[option(
        key = "size",
        scope = local,
        default_text = "a fifth of the free space, at least 5 GiB and at most 30 GiB"
    )]
    pub size: Option<Size>,
    /// Name of the volume group.
    #[option(key = "lvm.vg_name", apply = create, scope = local, default_text = "the pool's name")]
    pub vg_name: Option<String>,
    /// Whether the volume group may have volumes of others.
    #[option(key = "lvm.vg.force_reuse", apply = create, scope = local, default = "false")]
    pub force_reuse: bool,
    /// Whether volumes take room from a thin pool as they are written to.
    ///
    /// Without it each has all its room from the start, and copies and snapshots copy all files.
    #[option(key = "lvm.use_thinpool", apply = create, default = "true")]
    pub use_thinpool: bool,
    /// Name of the thin pool.
    #[option(
        key = "lvm.thinpool_name",
        apply = create,
        scope = local,
        default = "MicroCloudThinPool"
    )]
    pub thinpool_name: String,
    /// Size of what the thin pool notes about itself.
    ///
    /// 0 lets LVM choose.
    #[option(
        key = "lvm.thinpool_metadata_size",
        apply = create,
        since = "storage_lvm_thinpool_metadata_size",
        default = "0"
    )]
    pub thinpool_metadata_size: Size,
    /// Most bytes a second when files are copied to another server.
    ///
    /// 0 means no limit.
    #[option(key = "rsync.bwlimit", since = "storage_rsync_bwlimit", default = "0")]
    pub rsync_bwlimit: Size,
    /// Whether files are compressed on their way to another server.
    #[option(key = "rsync.compression", default = "true")]
    pub rsync_compression: bool,
    /// Disk or volume group that was asked for when the pool was made.
    #[option(
        key = "volatile.initial_source",
        since = "storage_volatile_initial_source",
        scope = local
    )]
    pub initial_source: Option<String>,
    /// Identity of the pool, which is also written into it.
    ///
    /// A pool with another identity is never taken for this one.
    #[option(key = "volatile.uuid", scope = local)]
    pub uuid: Option<String>,
    /// Defaults of the pool's volumes.
    #[option(nested, prefix = "volume.")]
    pub volume: LvmVolumeOptions,
    /// Anything you want to note.
    #[option(pattern = "user.*")]
    pub user: BTreeMap<String, String>,
}

/// Options of a volume of such a pool.
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "storage-lvm", group = "volume-conf")]
pub struct LvmVolumeOptions {
    /// Those of any volume.
    #[option(nested, prefix = "")]
    pub common: VolumeOptions,
    /// Those of files on a disk.
    #[option(nested, prefix = "")]
    pub block: BlockOptions,
    /// Those of logical volumes.
    #[option(nested, prefix = "")]
    pub stripes: StripeOptions,
}

/// Options of a volume of files that is a disk to the server.
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "storage-lvm", group = "volume-conf")]
pub struct BlockOptions {
    /// File system of a new volume of files: ext4 or xfs.
    ///
    /// On ZFS with `zfs.block_mode`. Not btrfs, of which a machine cannot have a copy mounted beside
    /// the original. There is a driver for it.
    #[option(key = "block.filesystem", apply = create, default = "ext4")]
    pub filesystem: BlockFileSystem,
    /// Options of the file system's mount, separated by commas.
    ///
    /// They count from the next mount on: when nothing uses the volume any more.
    #[option(key = "block.mount_options", default = "discard")]
    pub mount_options: String,
}

/// Options of a logical volume.
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "storage-lvm", group = "volume-conf")]
pub struct StripeOptions {
    /// Over how many disks a new volume, or the thin pool, is spread.
    ///
    /// A volume that takes its room from a thin pool is spread as that is. 0 lets LVM choose.
    #[option(key = "lvm.stripes", apply = create, since = "lvm_stripes", default = "0")]
    pub count: u32,
    /// How much goes to one disk before the next.
    ///
    /// 0 lets LVM choose.
    #[option(key = "lvm.stripes.size", apply = create, since = "lvm_stripes", default = "0")]
    pub size: Size,
}

/// Options of a volume whatever the driver of its pool: which of them it may have is checked beside.
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "storage-lvm", group = "volume-conf")]
pub struct AnyVolumeOptions {
    /// Those of any volume.
    #[option(nested, prefix = "")]
    pub common: VolumeOptions,
    /// Those of files on a disk.
    #[option(nested, prefix = "")]
    pub block: BlockOptions,
    /// Those of logical volumes.
    #[option(nested, prefix = "")]
    pub stripes: StripeOptions,
    /// Those of datasets.
    #[option(nested, prefix = "")]
    pub dataset: DatasetOptions,
}
