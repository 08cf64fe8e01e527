//! Options of storage pools on ZFS, and of the volumes in them.

use std::collections::BTreeMap;

use super::lvm::BlockOptions;
use super::storage::VolumeOptions;
use crate::values::choice;
use crate::{Options, Size};

choice! {
    /// What a copy of a volume shares with what it is of.
    pub enum CloneCopy { All = "true", Nothing = "false", Image = "rebase" }
}

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
    /// Whether the pool is encrypted.
    ///
    /// As LUKS2, with a key that the server makes and keeps in its folder `storage-keys`: without it
    /// nothing of the pool can be read. Only on a disk, or in a file of the server's own; a dataset
    /// that is encrypted by ZFS itself stays so.
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
    /// Name of the pool of ZFS, or of the dataset in it.
    #[option(key = "zfs.pool_name", apply = create, scope = local, default_text = "the pool's name")]
    pub pool_name: Option<String>,
    /// Whether the pool of ZFS is let go of when its disk goes away.
    ///
    /// Only where it was made for this one.
    #[option(key = "zfs.export", since = "zfs_export", default = "true")]
    pub export: bool,
    /// What a copy of a volume shares with what it is of.
    ///
    /// `true`: all that is the same, and it takes no time. `false`: nothing, it is written anew.
    /// `rebase`: only what the source shares with the image it was made of.
    #[option(key = "zfs.clone_copy", since = "storage_zfs_clone_copy", default = "true")]
    pub clone_copy: CloneCopy,
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
    #[option(key = "volatile.uuid", scope = local)]
    pub uuid: Option<String>,
    /// Number of the pool of ZFS that the dataset is in, by which it is found.
    #[option(key = "volatile.source.uuid", scope = local)]
    pub source_uuid: Option<String>,
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
    /// Those of files on a disk, with `zfs.block_mode`.
    #[option(nested, prefix = "")]
    pub block: BlockOptions,
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
    /// A power of two, 512 bytes to 16 MiB. Disks have at most 128 KiB.
    #[option(key = "zfs.blocksize", apply = create, default_text = "what ZFS chooses")]
    pub block_size: Option<Size>,
    /// Whether the files of a new volume lie in a file system on a disk of ZFS.
    ///
    /// For what needs another file system; `block.filesystem` says which.
    #[option(
        key = "zfs.block_mode",
        apply = create,
        since = "zfs_block_mode",
        condition = "volume of files",
        default = "false"
    )]
    pub block_mode: bool,
    /// Whether a volume with a size has all its room from the start.
    ///
    /// Of a disk, and with `zfs.block_mode`, it counts when it is made.
    #[option(key = "zfs.reserve_space", since = "storage_zfs_reserve_space", default = "false")]
    pub reserve_space: bool,
    /// Whether only files count for the size, and not what snapshots keep.
    ///
    /// Where it is false, what snapshots and copies keep of files that have changed counts too: then
    /// a volume can be full of what nobody sees in it.
    #[option(
        key = "zfs.use_refquota",
        since = "storage_zfs_use_refquota",
        condition = "volume of files",
        default = "true"
    )]
    pub use_refquota: bool,
    /// Whether an unprivileged container manages the dataset of its files itself.
    ///
    /// It may make datasets and snapshots in it with `zfs`. They count for its size, are in no copy or
    /// snapshot that the server makes, and go with a restore. It counts from a start on. For a root:
    /// `initial.zfs.delegate` of its disk.
    #[option(
        key = "zfs.delegate",
        since = "zfs_delegate",
        condition = "ZFS 2.2 or later, volume of files",
        default = "false"
    )]
    pub delegate: bool,
    /// Whether a restore may remove the snapshots that are newer.
    ///
    /// It changes nothing here: a restore keeps all snapshots, and need not remove any.
    #[option(
        key = "zfs.remove_snapshots",
        since = "storage_zfs_remove_snapshots",
        default = "false"
    )]
    pub remove_snapshots: bool,
}
