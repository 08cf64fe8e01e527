//! What can go wrong with pools and volumes.

use std::io;
use std::path::{Path, PathBuf};

use crate::{FillError, VolumeId};

/// The result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with pools and volumes.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A name that is not one plain path component.
    #[error("invalid volume name {name:?}")]
    BadName {
        /// The name as given.
        name: String,
    },
    /// The volume is there already.
    #[error("volume {volume} exists")]
    Exists {
        /// Which one.
        volume: VolumeId,
    },
    /// No such volume.
    #[error("volume {volume} not found")]
    NotFound {
        /// Which one.
        volume: VolumeId,
    },
    /// The snapshot is there already.
    #[error("snapshot {snapshot} of volume {volume} exists")]
    SnapshotExists {
        /// Of which volume.
        volume: VolumeId,
        /// Which one.
        snapshot: String,
    },
    /// No such snapshot.
    #[error("snapshot {snapshot} of volume {volume} not found")]
    SnapshotNotFound {
        /// Of which volume.
        volume: VolumeId,
        /// Which one.
        snapshot: String,
    },
    /// The image a volume stands on is gone from the pool.
    #[error("volume {volume} stands on image {lower}, which is not in the pool")]
    LowerMissing {
        /// The volume on top.
        volume: VolumeId,
        /// The image's name.
        lower: String,
    },
    /// A driver without streams of its own.
    #[error("storage driver {driver} has no form of its own")]
    NoStreams {
        /// Its name.
        driver: &'static str,
    },
    /// A stream cannot be read.
    #[error("cannot read the stream: {why}")]
    Stream {
        /// What is wrong with it.
        why: &'static str,
    },
    /// The driver cannot do this with such a volume.
    #[error("cannot {what} volume {volume}")]
    Unsupported {
        /// What was asked.
        what: &'static str,
        /// Of which volume.
        volume: VolumeId,
    },
    /// A disk cannot get smaller than it is.
    #[error("cannot shrink volume {volume} from {from} to {to} bytes")]
    Shrink {
        /// Which one.
        volume: VolumeId,
        /// Bytes now.
        from: u64,
        /// Bytes asked for.
        to: u64,
    },
    /// What fills a new volume failed.
    #[error("cannot fill volume {volume}")]
    Fill {
        /// Which one.
        volume: VolumeId,
        /// Why.
        #[source]
        source: FillError,
    },
    /// A fill came to its end without writing the files or the disk.
    #[error("nothing was written into volume {volume}")]
    NotFilled {
        /// Which one.
        volume: VolumeId,
    },
    /// A fill used a name that is the driver's.
    #[error("volume {volume} may not contain {name}")]
    Reserved {
        /// Which one.
        volume: VolumeId,
        /// The name.
        name: &'static str,
    },
    /// Files were asked of a volume that is a disk.
    #[error("{path} is a disk and not a folder of files")]
    NotFiles {
        /// The disk.
        path: PathBuf,
    },
    /// The caller cancelled.
    #[error(transparent)]
    Cancelled(#[from] exec::Cancelled),
    /// A folder tree deeper than this crate walks.
    #[error("{path} is nested too deeply")]
    TooDeep {
        /// Where it was noticed.
        path: PathBuf,
    },
    /// There is no pool in that folder.
    #[error("{path} holds no storage pool")]
    NoPool {
        /// The pool's folder.
        path: PathBuf,
    },
    /// A pool of another driver, or of a newer version, is in that folder.
    #[error("{path} holds a pool of driver {driver} in version {version}")]
    OtherPool {
        /// The pool's folder.
        path: PathBuf,
        /// Its driver.
        driver: String,
        /// The version of its layout.
        version: u32,
    },
    /// A pool that is not the one that was meant is in that place.
    #[error(
        "{path} holds another storage pool, of another server or from a time before: \
         give a source that holds none"
    )]
    ForeignPool {
        /// The pool's folder, file or disk.
        path: PathBuf,
    },
    /// The folder for a new pool has something in it.
    #[error("{path} is not an empty folder")]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// The source of a pool cannot be used.
    #[error("source {path}: {why}")]
    Source {
        /// The source.
        path: PathBuf,
        /// What is wrong with it, and what would be right.
        why: &'static str,
    },
    /// The size of a pool is none it can have.
    #[error("size of pool {pool} is {size} bytes: {why}")]
    PoolSize {
        /// The pool's name.
        pool: String,
        /// The size that was asked for.
        size: u64,
        /// What is allowed.
        why: String,
    },
    /// The pool is not in a file of ours.
    #[error("pool {pool} is not in a file that could be made larger")]
    NotGrowing {
        /// The pool's name.
        pool: String,
    },
    /// A program failed that makes file systems.
    #[error("cannot make a file system in {path}")]
    Format {
        /// In what.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<exec::Error>,
    },
    /// A dataset of ZFS cannot be used.
    #[error("dataset {dataset}: {why}")]
    Dataset {
        /// Its name.
        dataset: String,
        /// What is wrong with it, and what would be right.
        why: &'static str,
    },
    /// A program failed that changes disks, volume groups or volumes.
    #[error("cannot {doing} {what}")]
    Program {
        /// What was tried.
        doing: &'static str,
        /// On what.
        what: String,
        /// Why.
        #[source]
        source: Box<exec::Error>,
    },
    /// A pool cannot be encrypted or opened.
    #[error("{path}: {why}")]
    Key {
        /// The file with its key.
        path: PathBuf,
        /// What is wrong, and what to do.
        why: &'static str,
    },
    /// A pool that is not encrypted.
    #[error("storage pool {pool} is not encrypted as a disk")]
    NotEncrypted {
        /// Its name.
        pool: String,
    },
    /// A volume group cannot be used.
    #[error("volume group {group}: {why}")]
    Group {
        /// Its name.
        group: String,
        /// What is wrong with it, and what would be right.
        why: &'static str,
    },
    /// A member of the cluster has what one alone may have.
    #[error("{what} is in use on another machine ({by}): stop what uses it there first")]
    Elsewhere {
        /// The image.
        what: String,
        /// The address of who writes to it.
        by: String,
    },
    /// Something on this machine does not let go of a disk or a mount.
    #[error("{path} is still in use on this machine")]
    Busy {
        /// The disk, or the folder.
        path: PathBuf,
    },
    /// The pool still has volumes that are not images.
    #[error("pool {pool} has {count} volumes")]
    PoolInUse {
        /// The pool's name.
        pool: String,
        /// How many volumes.
        count: usize,
    },
    /// A metadata file of ours cannot be read.
    #[error("{path} is damaged")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A system call failed.
    #[error("cannot {doing} {path}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// Whether what was asked for cannot be, rather than something being broken.
    pub fn is_of_request(&self) -> bool {
        matches!(
            self,
            Error::ForeignPool { .. }
                | Error::Dataset { .. }
                | Error::Elsewhere { .. }
                | Error::Group { .. }
                | Error::Key { .. }
                | Error::NotEmpty { .. }
                | Error::NotEncrypted { .. }
                | Error::NotGrowing { .. }
                | Error::OtherPool { .. }
                | Error::PoolSize { .. }
                | Error::Shrink { .. }
                | Error::Source { .. }
                | Error::NoStreams { .. }
                | Error::Stream { .. }
        )
    }

    /// Whether the disk, a quota or the inodes ran out.
    pub fn is_no_space(&self) -> bool {
        let kind = match self {
            Error::Io { source, .. } => source.kind(),
            Error::Program { source, .. } => return source.stderr_has("insufficient free space"),
            _ => return false,
        };
        matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }
}

/// Puts an operation and a path to the error of a system call.
pub(crate) trait At<T> {
    fn at(self, doing: &'static str, path: impl AsRef<Path>) -> Result<T>;
}

impl<T, E: Into<io::Error>> At<T> for std::result::Result<T, E> {
    fn at(self, doing: &'static str, path: impl AsRef<Path>) -> Result<T> {
        self.map_err(|e| Error::Io { doing, path: path.as_ref().to_owned(), source: e.into() })
    }
}
