//! Pools and volumes: where instances, images and custom volumes live on disk.
//!
//! The cloud opens a [`Pool`] through one of [`DRIVERS`] and asks it for volumes by id. A driver knows
//! no projects, users or members. What a driver cannot do itself, [`fallback`] does the slow way for
//! all of them. What is on disk can be listed without the database.
//!
//! Everything here blocks: callers in async code move it to a blocking thread.

mod btrfs;
mod ceph_rbd;
mod copy;
mod dir;
mod disks;
mod driver;
mod encrypted;
mod error;
pub mod fallback;
mod fsio;
mod held;
mod lvm;
mod making;
mod mounts;
mod pool_file;
pub mod streams;
mod unreadable;
mod view;
mod volume;
mod volumes;
mod zfs;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod plug;
#[cfg(test)]
mod testing;

pub use copy::{Copied, copy_file, copy_tree, sync_tree};
pub use driver::{
    Attached, CephOptions, Clones, Copies, DRIVERS, Driver, DriverInfo, Fill, FillError,
    LvmOptions, Pool, PoolInfo, PoolOptions, PoolSpec, Scrubbed, Snapshots, Usage, VolumeInfo,
    ZfsOptions, driver, driver_in,
};
pub use encrypted::{Secret, encrypted_driver_in};
pub use error::{Error, Result};
pub use exec::lvm::Stripes;
pub use exec::mkfs::FileSystem;
pub use held::{Held, disk_size};
pub use making::Making;
pub use streams::Streams;
pub use unreadable::{Unreadable, unreadable};
pub use view::{Access, View};
pub use volume::{Content, Shape, VolumeId, VolumeKind};

/// Whether the running kernel has a folder of modules that may be loaded.
fn has_modules() -> bool {
    let name = rustix::system::uname().release().to_string_lossy().into_owned();
    std::path::Path::new("/lib/modules").join(name).is_dir()
}
