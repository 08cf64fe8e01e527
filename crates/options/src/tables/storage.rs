//! Options of storage pools and volumes.

use std::collections::BTreeMap;

use crate::{Cron, Expiry, FileMode, Options, Problem, Retention, Size, SnapshotPattern, Table};

/// Options of a pool that is a folder.
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "storage-dir", group = "pool-conf")]
pub struct DirPoolOptions {
    /// Folder that the pool is in.
    #[option(
        key = "source",
        apply = create,
        scope = local,
        default_text = "a folder of the server's own"
    )]
    pub source: Option<String>,
    /// Most bytes a second when files are copied to another server.
    ///
    /// 0 means no limit.
    #[option(key = "rsync.bwlimit", since = "storage_rsync_bwlimit", default = "0")]
    pub rsync_bwlimit: Size,
    /// Whether files are compressed on their way to another server.
    #[option(key = "rsync.compression", default = "true")]
    pub rsync_compression: bool,
    /// Folder that was asked for when the pool was made.
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
    pub volume: VolumeOptions,
    /// Anything you want to note.
    #[option(pattern = "user.*")]
    pub user: BTreeMap<String, String>,
}

/// Options of a pool on btrfs.
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "storage-btrfs", group = "pool-conf")]
pub struct BtrfsPoolOptions {
    /// Disk, partition, or empty folder of a btrfs that the pool is on.
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
    /// Options of the pool's mount, separated by commas.
    #[option(key = "btrfs.mount_options")]
    pub mount_options: Option<String>,
    /// Disk or folder that was asked for when the pool was made.
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
    /// Identity of the file system on the disk, by which it is found.
    #[option(key = "volatile.source.uuid", scope = local)]
    pub source_uuid: Option<String>,
    /// Defaults of the pool's volumes.
    #[option(nested, prefix = "volume.")]
    pub volume: VolumeOptions,
    /// Anything you want to note.
    #[option(pattern = "user.*")]
    pub user: BTreeMap<String, String>,
}

/// Options of a bucket, whatever the pool's driver.
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "storage-btrfs", group = "bucket-conf")]
pub struct BucketOptions {
    /// Most bytes that its objects have together.
    #[option(key = "size", since = "storage_buckets", default_text = "no limit")]
    pub size: Option<Size>,
    /// Anything you want to note.
    #[option(pattern = "user.*")]
    pub user: BTreeMap<String, String>,
}

impl BucketOptions {
    /// The same options, as they are documented for pools on a volume group.
    pub const LVM: Table = Table { entity: "storage-lvm", ..Self::TABLE };
    /// And for pools on ZFS.
    pub const ZFS: Table = Table { entity: "storage-zfs", ..Self::TABLE };
}

/// Options of a volume, whatever the pool's driver.
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "storage-dir", group = "volume-conf", check = Self::consistent)]
pub struct VolumeOptions {
    /// Mode of the new volume's folder.
    #[option(
        key = "initial.mode",
        apply = create,
        condition = "custom volume of files",
        default = "0711"
    )]
    pub initial_mode: FileMode,
    /// Owner of the new volume's folder.
    #[option(
        key = "initial.uid",
        apply = create,
        condition = "custom volume of files",
        default = "0"
    )]
    pub initial_uid: u32,
    /// Group of the new volume's folder.
    #[option(
        key = "initial.gid",
        apply = create,
        condition = "custom volume of files",
        default = "0"
    )]
    pub initial_gid: u32,
    /// Whether several instances may have the block volume at the same time.
    #[option(key = "security.shared", condition = "custom block volume", default = "false")]
    pub security_shared: bool,
    /// Whether owners are shown in the ids of each instance.
    ///
    /// Then instances with different id maps can share the volume.
    #[option(key = "security.shifted", condition = "custom volume", default = "false")]
    pub security_shifted: bool,
    /// Whether the files keep the ids of the host.
    #[option(key = "security.unmapped", condition = "custom volume", default = "false")]
    pub security_unmapped: bool,
    /// Size of the volume.
    #[option(key = "size")]
    pub size: Option<Size>,
    /// When snapshots are deleted.
    #[option(key = "snapshots.expiry", condition = "custom volume")]
    pub snapshots_expiry: Option<Expiry>,
    /// Names of snapshots that are given none.
    ///
    /// `%d` stands for a number that counts up, `{{ creation_date|date:'2006-01-02' }}` for the
    /// date, written as that one.
    #[option(key = "snapshots.pattern", condition = "custom volume", default = "snap%d")]
    pub snapshots_pattern: SnapshotPattern,
    /// Which snapshots of the schedule are kept.
    ///
    /// Such as `hourly=24, daily=7, weekly=4, monthly=12`: of so many of the last hours (days ...)
    /// that have a snapshot, the newest. `last` and `yearly` are there too. What no rule keeps is
    /// deleted, except what was taken, renamed or edited by hand. `snapshots.expiry` then counts
    /// only for those taken by hand.
    #[option(key = "snapshots.retention", condition = "custom volume")]
    pub snapshots_retention: Option<Retention>,
    /// When snapshots are taken.
    ///
    /// Local time of the server; within about a minute.
    #[option(key = "snapshots.schedule", condition = "custom volume")]
    pub snapshots_schedule: Option<Cron>,
    /// Id map by which the files are owned, as JSON.
    #[option(key = "volatile.idmap.last")]
    pub idmap_last: Option<String>,
    /// Id map of the next use, as JSON.
    #[option(key = "volatile.idmap.next")]
    pub idmap_next: Option<String>,
    /// Identity of the volume.
    #[option(key = "volatile.uuid")]
    pub uuid: Option<String>,
    /// Anything you want to note.
    #[option(pattern = "user.*")]
    pub user: BTreeMap<String, String>,
}

impl VolumeOptions {
    /// The same options, as they are documented for pools on btrfs.
    pub const BTRFS: Table = Table { entity: "storage-btrfs", ..Self::TABLE };

    fn consistent(&self) -> Vec<Problem> {
        if self.security_shifted && self.security_unmapped {
            let why = "cannot be set together with security.unmapped";
            return vec![Problem::conflict("security.shifted", why)];
        }
        Vec::new()
    }
}
