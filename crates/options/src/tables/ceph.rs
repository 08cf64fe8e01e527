//! Options of storage pools in Ceph, and of the volumes in them.

use std::collections::BTreeMap;

use super::lvm::BlockOptions;
use super::storage::VolumeOptions;
use crate::values::choice;
use crate::{Bounded, List, Options};

choice! {
    /// Something that images of RBD can do.
    pub enum Feature {
        Layering = "layering", Striping = "striping", ExclusiveLock = "exclusive-lock", ObjectMap = "object-map",
        FastDiff = "fast-diff", DeepFlatten = "deep-flatten", Journaling = "journaling",
    }
}

/// Options of a pool in Ceph, which all members of a cluster share.
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "storage-ceph", group = "pool-conf")]
pub struct CephPoolOptions {
    /// OSD pool that the pool is in.
    ///
    /// One that is not there is made.
    #[option(key = "source", apply = create, default_text = "the pool's name")]
    pub source: Option<String>,
    /// The cluster of Ceph.
    ///
    /// A file `NAME.conf` in `/etc/ceph` of each server says where its monitors are.
    #[option(key = "ceph.cluster_name", apply = create, default = "ceph")]
    pub cluster_name: String,
    /// User of the cluster, without `client.`.
    ///
    /// A keyring in `/etc/ceph` of each server has the key.
    #[option(key = "ceph.user.name", apply = create, default = "admin")]
    pub user_name: String,
    /// Name of the OSD pool, where the source does not say it.
    #[option(key = "ceph.osd.pool_name", apply = create, default_text = "the pool's name")]
    pub pool_name: Option<String>,
    /// How many placement groups an OSD pool has that is made.
    #[option(key = "ceph.osd.pg_num", apply = create, default = "32")]
    pub pg_num: Bounded<1, 65_536>,
    /// How often an OSD pool that is made has each object.
    #[option(
        key = "ceph.osd.pool_size",
        apply = create,
        since = "storage_ceph_osd_pool_size",
        default_text = "what the cluster chooses, usually 3"
    )]
    pub pool_size: Option<Bounded<1, 10>>,
    /// Name of the OSD pool for the data of new volumes, which may be erasure coded.
    ///
    /// It must be there. What is known of volumes stays in the other.
    #[option(
        key = "ceph.osd.data_pool_name",
        apply = create,
        since = "storage_ceph_data_pool_name",
        default_text = "the OSD pool itself"
    )]
    pub data_pool_name: Option<String>,
    /// Whether the OSD pool may have images of others.
    ///
    /// One that another pool of MicroCloud is in is never taken.
    #[option(
        key = "ceph.osd.force_reuse",
        apply = create,
        since = "storage_ceph_force_osd_reuse",
        default = "false"
    )]
    pub force_reuse: bool,
    /// Whether a copy of a volume shares what is the same.
    ///
    /// Otherwise all its data is copied. Instances share with their images in any case.
    #[option(key = "ceph.rbd.clone_copy", default = "true")]
    pub clone_copy: bool,
    /// Whether it is counted what is stored of volumes that nothing uses.
    ///
    /// With large volumes that takes long, unless they have `fast-diff`.
    #[option(key = "ceph.rbd.du", since = "ceph_rbd_du", default = "true")]
    pub du: bool,
    /// What images of new volumes can do.
    ///
    /// Without `exclusive-lock` nothing keeps two servers from writing to one volume.
    #[option(key = "ceph.rbd.features", default = "layering,exclusive-lock")]
    pub features: List<Feature>,
    /// Whether the OSD pool was made for the pool.
    ///
    /// It is taken and changes nothing here: that is noted in the OSD pool.
    #[option(key = "volatile.pool.pristine", default = "true")]
    pub pristine: bool,
    /// OSD pool that was asked for when the pool was made.
    #[option(key = "volatile.initial_source", since = "storage_volatile_initial_source")]
    pub initial_source: Option<String>,
    /// Identity of the pool, which is also written into it.
    ///
    /// A pool with another identity is never taken for this one.
    #[option(key = "volatile.uuid")]
    pub uuid: Option<String>,
    /// Defaults of the pool's volumes.
    #[option(nested, prefix = "volume.")]
    pub volume: CephVolumeOptions,
    /// Anything you want to note.
    #[option(pattern = "user.*")]
    pub user: BTreeMap<String, String>,
}

/// Options of a volume of such a pool.
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "storage-ceph", group = "volume-conf")]
pub struct CephVolumeOptions {
    /// Those of any volume.
    #[option(nested, prefix = "")]
    pub common: VolumeOptions,
    /// Those of files on a disk.
    #[option(nested, prefix = "")]
    pub block: BlockOptions,
}
