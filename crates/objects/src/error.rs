//! What can go wrong with objects.

use std::io;
use std::path::{Path, PathBuf};

/// The result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with objects.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such object.
    #[error("there is no object {key:?}")]
    NoObject {
        /// Its key.
        key: String,
    },
    /// That version says that the object was deleted, and is none.
    #[error("version {version:?} of object {key:?} is a delete marker")]
    Marker {
        /// Its key.
        key: String,
        /// The version.
        version: String,
    },
    /// No upload in parts has that id; it may be complete, or given up.
    #[error("there is no upload {id:?}")]
    NoUpload {
        /// Its id.
        id: String,
    },
    /// A part that should be in the object was not uploaded, or is another by now.
    #[error("there is no part {number} of that kind")]
    NoPart {
        /// Its number.
        number: u32,
    },
    /// The parts of an object are not listed by their numbers, upwards.
    #[error("part {number} is not in order")]
    PartOrder {
        /// The first that is not.
        number: u32,
    },
    /// A part other than the last is too small.
    #[error("part {number} has {size} bytes and may not have so few")]
    PartTooSmall {
        /// Its number.
        number: u32,
        /// Its size.
        size: u64,
    },
    /// The object is not as the caller wants it to be for this.
    #[error("object {key:?} is not as it should be")]
    Condition {
        /// Its key.
        key: String,
    },
    /// The limit of all objects together would be passed.
    #[error("the limit of {limit} bytes is reached")]
    Full {
        /// The limit.
        limit: u64,
    },
    /// A key that is empty or too long.
    #[error("a key has 1 to {} bytes, not {length}", crate::LONGEST_KEY)]
    Key {
        /// Its bytes.
        length: usize,
    },
    /// What a store is to be made of is not whole, or says what cannot be.
    #[error("the objects are damaged: {why}")]
    Damaged {
        /// What is wrong.
        why: &'static str,
    },
    /// The thread that makes the sum of contents panicked.
    #[error("the sum of what was written was lost")]
    Sum,
    /// The index.
    #[error("cannot {doing}")]
    Index {
        /// What was tried.
        doing: &'static str,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// An index of a later version.
    #[error("{path} is of version {version}, which this program does not know")]
    Version {
        /// The index.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// A file.
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
    /// Whether the disk, a quota or the inodes ran out.
    pub fn is_no_space(&self) -> bool {
        match self {
            Error::Io { source, .. } => {
                matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            Error::Index { source, .. } => {
                source.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
            }
            _ => false,
        }
    }
}

/// Puts what was tried, and on what, to the error of a system call.
pub(crate) trait At<T> {
    fn at(self, doing: &'static str, path: impl AsRef<Path>) -> Result<T>;
}

impl<T, E: Into<io::Error>> At<T> for std::result::Result<T, E> {
    fn at(self, doing: &'static str, path: impl AsRef<Path>) -> Result<T> {
        self.map_err(|e| Error::Io { doing, path: path.as_ref().to_owned(), source: e.into() })
    }
}

/// Puts what was tried to an error of the index.
pub(crate) trait Doing<T> {
    fn doing(self, doing: &'static str) -> Result<T>;
}

impl<T> Doing<T> for rusqlite::Result<T> {
    fn doing(self, doing: &'static str) -> Result<T> {
        self.map_err(|source| Error::Index { doing, source })
    }
}
