//! What a storage driver offers: few verbs that all have, and abilities that some have.
//!
//! To add a driver: add a folder beside `dir/` and a line to [`DRIVERS`]; `laws.rs` then tests it.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use exec::Control;
use uuid::Uuid;

use crate::encrypted::Encrypted;
use crate::{Content, Error, Making, Result, Secret, Shape, Streams, VolumeId};

/// The drivers of this build.
pub static DRIVERS: &[&dyn Driver] = &[
    &Encrypted(crate::btrfs::Btrfs),
    &crate::ceph_rbd::CephRbd,
    &crate::dir::Dir,
    &Encrypted(crate::lvm::Lvm),
    &Encrypted(crate::zfs::Zfs),
];

/// The driver of that name.
pub fn driver(name: &str) -> Option<&'static dyn Driver> {
    DRIVERS.iter().copied().find(|driver| driver.info().name == name)
}

/// The driver of the pool that is in a folder or in a file, where there is one.
pub fn driver_in(path: &Path) -> Result<Option<String>> {
    if !path.is_file() {
        return crate::dir::driver_in(path);
    }
    if let Some(driver) = crate::encrypted::encrypted_driver_in(path)? {
        return Ok(Some(driver));
    }
    let name = if crate::lvm::is_in(path)? {
        "lvm"
    } else if crate::zfs::is_in(path)? {
        "zfs"
    } else if crate::btrfs::is_in(path)? {
        "btrfs"
    } else {
        return Ok(None);
    };
    Ok(Some(name.to_owned()))
}

/// What is always true of a driver.
#[derive(Debug)]
pub struct DriverInfo {
    /// The word users give, such as `dir`.
    pub name: &'static str,
    /// Whether the members of a cluster share its volumes.
    pub remote: bool,
    /// Whether its pools have [`Streams`].
    pub streams: bool,
    /// Raised when the layout on disk changes.
    pub version: u32,
}

/// Options of a pool beneath its name and source; `dir` has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PoolOptions {
    /// Bytes of the file that holds the pool, where it is in one.
    pub size: Option<u64>,
    /// Options of its mount, separated by commas.
    pub mount_options: Option<String>,
    /// Whether what is on a source may be overwritten.
    pub wipe: bool,
    /// Whether the pool is encrypted; whoever makes the spec then says where keys are.
    pub encrypt: bool,
    /// Bytes of a volume that is a disk to the server and is given no size.
    pub volume_size: Option<u64>,
    /// What volumes are like that choose nothing.
    pub making: Making,
    /// Those of a volume group.
    pub lvm: LvmOptions,
    /// Those of a pool of ZFS.
    pub zfs: ZfsOptions,
    /// Those of a pool in Ceph.
    pub ceph: CephOptions,
}

/// Options of a pool in Ceph.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CephOptions {
    /// The cluster, by the name of its file in `/etc/ceph`; `ceph` when not said.
    pub cluster: Option<String>,
    /// Its user; `admin` when not said.
    pub user: Option<String>,
    /// Name of the OSD pool; the pool's when not said.
    pub pool: Option<String>,
    /// Placement groups of an OSD pool that is made.
    pub pg_num: Option<u32>,
    /// How often such a pool has each object; the cluster's choice when not said.
    pub replicas: Option<u32>,
    /// The OSD pool for data, where it is another.
    pub data_pool: Option<String>,
    /// Whether the OSD pool may be one with images of others.
    pub reuse: bool,
    /// Whether copies of volumes have all their data of their own.
    pub full_copies: bool,
    /// Whether nobody counts what is stored of volumes that are not mounted, which takes long.
    pub no_du: bool,
    /// What new images can do, by the words of rbd(8); the driver's choice when empty.
    pub features: Vec<String>,
}

/// Options of a pool of ZFS, and of what is made in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ZfsOptions {
    /// Name of its dataset; the pool's when not said.
    pub pool: Option<String>,
    /// Whether a pool of ZFS that was made for it is let go of when it is closed.
    pub export: bool,
    /// What copies of volumes share with what they are of.
    pub copies: Copies,
}

/// What a copy of a volume of ZFS shares.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Copies {
    /// All that is the same.
    #[default]
    All,
    /// Nothing: its files are written anew.
    Nothing,
    /// What the source shares with the image it was made of.
    Image,
}

/// Options of a pool on a volume group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LvmOptions {
    /// Its name; the pool's when not said.
    pub group: Option<String>,
    /// Whether it may be one with volumes of others.
    pub reuse: bool,
    /// Whether volumes have all their room from the start, rather than take it from a thin pool.
    pub thick: bool,
    /// The thin pool's name.
    pub thin_pool: Option<String>,
    /// Bytes of the thin pool's books.
    pub thin_pool_metadata: Option<u64>,
}

/// A pool as the cloud wants it.
#[derive(Debug, Clone)]
pub struct PoolSpec {
    /// The pool's name, for messages.
    pub name: String,
    /// Its identity, which is written into it: a pool with another is never opened, changed or removed.
    /// None for one that was made before pools had any.
    pub id: Option<Uuid>,
    /// What [`Driver::identify`] said when it was made.
    pub disk: Option<Uuid>,
    /// Its folder in the state folder. With a `source` this becomes a link to it.
    pub path: PathBuf,
    /// Where the pool lives instead: an empty folder, or for some drivers a disk.
    pub source: Option<PathBuf>,
    /// The folder with the keys of encrypted pools, if the pool is to be encrypted; its own is made with it.
    pub keys: Option<PathBuf>,
    /// Driver options.
    pub options: PoolOptions,
}

/// A kind of storage.
pub trait Driver: Send + Sync {
    /// What is always true of it.
    fn info(&self) -> &'static DriverInfo;
    /// Makes an empty pool; one that is there already is left as it is.
    fn create(&self, spec: &PoolSpec) -> Result<()>;
    /// Opens a pool and removes what a crash left in it.
    fn open(&self, spec: &PoolSpec) -> Result<Box<dyn Pool>>;
    /// Removes a pool with its images; refuses while it has other volumes. An absent pool is Ok, and what
    /// is another's stays.
    fn delete(&self, spec: &PoolSpec) -> Result<()>;
    /// Fails where [`Driver::delete`] would, for what others have put into an open pool.
    fn check_delete(&self, spec: &PoolSpec) -> Result<()> {
        let _ = spec;
        Ok(())
    }
    /// Lets go of a pool whose source went away, so that it can be opened when it is there again.
    fn close(&self, spec: &PoolSpec) -> Result<()> {
        let _ = spec;
        Ok(())
    }
    /// By what the disk that a pool was made on is found again, as its name may be another's after
    /// the next boot; None where the pool is not on a disk.
    fn identify(&self, spec: &PoolSpec) -> Result<Option<Uuid>> {
        let _ = spec;
        Ok(None)
    }
    /// The identity of the pool that is at a source, to open it without knowing it; None where it has
    /// none, or there is no pool.
    fn recognise(&self, spec: &PoolSpec) -> Result<Option<Uuid>>;
    /// Why the driver cannot be used on this machine, if so.
    fn unable(&self) -> Option<String> {
        None
    }
    /// Opens the disk of an encrypted pool that no key in a file opens.
    fn unlock(&self, spec: &PoolSpec, passphrase: &[u8]) -> Result<()> {
        let _ = passphrase;
        Err(Error::NotEncrypted { pool: spec.name.clone() })
    }
    /// Gives an encrypted pool another key in the place of the one it has: a file's, or the passphrase `now`.
    fn rekey(&self, spec: &PoolSpec, now: Option<&[u8]>, new: Secret<'_>) -> Result<()> {
        let _ = (now, new);
        Err(Error::NotEncrypted { pool: spec.name.clone() })
    }
    /// Lets an open pool have the room that its disk got.
    fn expand(&self, spec: &PoolSpec) -> Result<()> {
        Err(crate::Error::NotGrowing { pool: spec.name.clone() })
    }
    /// Makes the file that holds an open pool larger, up to `spec.options.size`.
    fn grow(&self, spec: &PoolSpec) -> Result<()> {
        Err(crate::Error::NotGrowing { pool: spec.name.clone() })
    }
}

/// What is true of an open pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolInfo {
    /// Whether [`Shape::size`] of files is enforced; otherwise it is only noted.
    pub quotas: bool,
    /// Whether copies of files share their blocks.
    pub reflink: bool,
    /// Whether an instance's root can be a layer on its image; otherwise it is a copy.
    pub layers: bool,
}

/// Room in a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Bytes in all.
    pub total: u64,
    /// Bytes taken, by whatever shares the pool's file system.
    pub used: u64,
    /// Inodes in all; 0 where the file system makes them as needed.
    pub inodes_total: u64,
    /// Inodes taken.
    pub inodes_used: u64,
}

/// What reading all of a pool and comparing with its checksums found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Bytes that were read.
    pub bytes: u64,
    /// Places that were wrong and are right again, by a second copy.
    pub repaired: u64,
    /// Places that are wrong and stay so.
    pub damaged: u64,
}

/// What a volume is, as noted beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeInfo {
    /// Files or a disk.
    pub content: Content,
    /// The size that was asked for, in bytes.
    pub size: Option<u64>,
    /// The image it stands on and keeps on disk; None when all its files are its own.
    pub image: Option<String>,
    /// When it was made.
    pub created: SystemTime,
}

/// What is given to whoever mounts or opens the volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attached {
    /// A folder with the volume's files.
    Path(PathBuf),
    /// Layers for overlayfs.
    Overlay {
        /// Read-only layers, the topmost first.
        lower: Vec<PathBuf>,
        /// The volume's own files.
        upper: PathBuf,
        /// Overlayfs' work folder, beside `upper`.
        work: PathBuf,
    },
    /// A disk: a block device or a raw image file.
    Block(PathBuf),
}

/// Why a fill failed.
pub type FillError = Box<dyn std::error::Error + Send + Sync>;

/// Writes a new volume's contents into the folder it is given.
///
/// - image, instance: `rootfs/` (or `root.img` for a disk), and `metadata.yaml` and `templates/` beside it;
/// - custom volume: its files themselves, or `root.img`.
pub type Fill<'a> = &'a mut dyn FnMut(&Path) -> Result<(), FillError>;

/// An open pool.
pub trait Pool: Send + Sync {
    /// What is true of it.
    fn info(&self) -> PoolInfo;
    /// Fails when its source is no longer there.
    fn check(&self) -> Result<()>;
    /// Keeps something with the pool, for good when it returns, in place of what was kept before.
    fn keep(&self, record: &[u8]) -> Result<()>;
    /// What was kept last.
    fn kept(&self) -> Result<Option<Vec<u8>>>;
    /// Room in it.
    fn usage(&self) -> Result<Usage>;
    /// The volumes on disk, sorted.
    fn list(&self) -> Result<Vec<VolumeId>>;
    /// What is noted of a volume: with [`Pool::list`] enough to recover a pool without a database.
    fn describe(&self, id: &VolumeId) -> Result<VolumeInfo>;
    /// Whether the volume is there.
    fn exists(&self, id: &VolumeId) -> Result<bool>;
    /// Makes a volume, all or nothing, and durable when it returns. An image that is there is Ok
    /// (same name, same contents); anything else that is there is [`crate::Error::Exists`].
    fn create(
        &self,
        id: &VolumeId,
        shape: &Shape,
        fill: Option<Fill>,
        control: &Control,
    ) -> Result<()>;
    /// Deletes a volume with its snapshots; an absent one is Ok. An image that volumes stand on is no
    /// longer listed, but stays on disk until the last of them is deleted.
    fn delete(&self, id: &VolumeId) -> Result<()>;
    /// Renames a volume; an image cannot be renamed.
    fn rename(&self, id: &VolumeId, to: &VolumeId) -> Result<()>;
    /// Changes a volume's size in bytes; `None` lifts the limit of files.
    fn resize(&self, id: &VolumeId, size: Option<u64>) -> Result<()>;
    /// Lets a volume have what can change of its choices: what new mounts are like, how its size is counted.
    fn tune(&self, id: &VolumeId, making: &Making) -> Result<()>;
    /// Makes the volume usable and says how.
    fn attach(&self, id: &VolumeId) -> Result<Attached>;
    /// Ends an attach; one that is not attached is Ok.
    fn detach(&self, id: &VolumeId) -> Result<()>;
    /// Lets whoever has a volume of a shared pool attached elsewhere write no more, at once and to any volume of it:
    /// for who knows that member to be dead, or cannot ask it. It can be attached then. Nobody there is Ok.
    fn shut_out(&self, id: &VolumeId) -> Result<()> {
        let _ = id;
        Ok(())
    }
    /// The disk of a volume of a shared pool that another member has attached still, and is done with: it is looked at
    /// anew, and what lies beside it stays there. [`Pool::attach`] does the rest once it does not; one with nothing beside
    /// it is attached by this. [`Pool::detach`] ends it in any case.
    fn take_over(&self, id: &VolumeId) -> Result<PathBuf> {
        Err(Error::Unsupported { what: "take over", volume: id.clone() })
    }
    /// Whether the container that a volume is attached to is to manage itself what the volume lies in.
    fn delegates(&self, id: &VolumeId) -> Result<bool> {
        let _ = id;
        Ok(false)
    }
    /// Lets root of a user namespace, which a file names, do so. Again is Ok.
    fn delegate(&self, id: &VolumeId, namespace: &Path) -> Result<()> {
        let _ = namespace;
        Err(Error::Unsupported { what: "delegate", volume: id.clone() })
    }
    /// The folder that holds the volume's `metadata.yaml` and `templates/`, and in which the caller may
    /// keep small files of its own. Files in it may be shared with the image: replace them, never
    /// write into them. In a pool that members share it is there while the volume is attached.
    fn folder(&self, id: &VolumeId) -> Result<PathBuf>;
    /// Bytes of the volume's own files; None when counting would take too long.
    fn volume_usage(&self, id: &VolumeId) -> Result<Option<u64>>;
    /// Reads all of it, compares with the checksums that the driver keeps and mends what it can; None
    /// where it keeps none.
    fn scrub(&self, control: &Control) -> Result<Option<Scrubbed>> {
        let _ = control;
        Ok(None)
    }
    /// Snapshots, where the driver has them.
    fn snapshots(&self) -> Option<&dyn Snapshots> {
        None
    }
    /// Streams, where the driver has them.
    fn streams(&self) -> Option<&dyn Streams> {
        None
    }
    /// Cheap copies, where the driver has them.
    fn clones(&self) -> Option<&dyn Clones> {
        None
    }
}

/// Copies inside a pool that share what they can with their source.
pub trait Clones: Send + Sync {
    /// Makes `to` from `source` (an image, an instance, a custom volume), all or nothing.
    fn clone_from(
        &self,
        source: &VolumeId,
        to: &VolumeId,
        shape: &Shape,
        control: &Control,
    ) -> Result<()>;
}

/// Remembered states of a volume. They live and die with it.
pub trait Snapshots: Send + Sync {
    /// Keeps the volume's state under a name.
    fn take(&self, of: &VolumeId, name: &str, control: &Control) -> Result<()>;
    /// The snapshots of a volume, sorted by name.
    fn list(&self, of: &VolumeId) -> Result<Vec<String>>;
    /// Puts the volume back to a snapshot, which stays. The volume must not be in use.
    fn restore(&self, of: &VolumeId, name: &str, control: &Control) -> Result<()>;
    /// Makes a new volume from a snapshot.
    fn copy(&self, of: &VolumeId, name: &str, to: &VolumeId, control: &Control) -> Result<()>;
    /// Deletes a snapshot; an absent one is Ok.
    fn delete(&self, of: &VolumeId, name: &str) -> Result<()>;
    /// Renames a snapshot.
    fn rename(&self, of: &VolumeId, name: &str, to: &str) -> Result<()>;
    /// Makes a whole volume, which is of the same kind and used by nobody, a snapshot of another.
    /// So a copy gets the snapshots of its source, one after the other.
    fn adopt(&self, volume: &VolumeId, of: &VolumeId, name: &str) -> Result<()> {
        let _ = (of, name);
        Err(Error::Unsupported { what: "keep as a snapshot of another", volume: volume.clone() })
    }
    /// The folder with what lies beside the contents of a snapshot, as [`Pool::folder`] is a volume's.
    fn folder(&self, of: &VolumeId, name: &str) -> Result<PathBuf>;
    /// The snapshot's layers, to be opened for reading only.
    fn attach(&self, of: &VolumeId, name: &str) -> Result<Attached>;
    /// Ends an attach; one that is not attached is Ok.
    fn detach(&self, of: &VolumeId, name: &str) -> Result<()> {
        let _ = (of, name);
        Ok(())
    }
}
