//! Options of storage pools on ZFS, and of the volumes in them.

use std::collections::BTreeMap;

use super::storage::VolumeOptions;
use crate::{Options, Size};

/// Options of a pool on ZFS.
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "storage-zfs", group = "pool-conf")]
pub struct ZfsPoolOptions {
    /// Disk, partition, or dataset that the pool is on.
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
    /// Size of the file that the pool is in.
    ///
    /// It can grow and not shrink.
    #[option(
        key = "size",
        scope = local,
        default_text = "a fifth of the free space, at least 5 GiB and at most 30 GiB"
    )]
    pub size: Option<Size>,
    /// Name of the pool of ZFS, or of the dataset in it.
    #[option(key = "zfs.pool_name", apply = create, scope = local, default_text = "the pool's name")]
    pub pool_name: Option<String>,
    /// Whether the pool of ZFS is let go of when its disk goes away.
    ///
    /// Only where it was made for this one.
    #[option(key = "zfs.export", since = "zfs_export", default = "true")]
    pub export: bool,
    /// Disk or dataset that was asked for when the pool was made.
    #[option(
        key = "volatile.initial_source",
        since = "storage_volatile_initial_source",
        scope = local
    )]
    pub initial_source: Option<String>,
    /// Identity of the pool, which is also written into it.
    ///
    /// A pool with another identity is never taken for this one.
    #[option(key = "volatile.uuid")]
    pub uuid: Option<String>,
    /// Defaults of the pool's volumes.
    #[option(nested, prefix = "volume.")]
    pub volume: ZfsVolumeOptions,
    /// Anything you want to note.
    #[option(pattern = "user.*")]
    pub user: BTreeMap<String, String>,
}

/// Options of a volume of such a pool.
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "storage-zfs", group = "volume-conf")]
pub struct ZfsVolumeOptions {
    /// Those of any volume.
    #[option(nested, prefix = "")]
    pub common: VolumeOptions,
    /// Those of datasets.
    #[option(nested, prefix = "")]
    pub dataset: DatasetOptions,
}

/// Options of a volume that is a dataset.
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "storage-zfs", group = "volume-conf")]
pub struct DatasetOptions {
    /// How much of a new volume is summed and compressed together.
    ///
    /// A power of two, 512 bytes to 16 MiB.
    #[option(key = "zfs.blocksize", apply = create, default_text = "what ZFS chooses")]
    pub block_size: Option<Size>,
    /// Whether a new volume of files has all its room from the start.
    #[option(key = "zfs.reserve_space", since = "storage_zfs_reserve_space", default = "false")]
    pub reserve_space: bool,
}
