//! What can be wrong with images.

use std::io;
use std::path::{Path, PathBuf};

/// The result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can be wrong with images.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file that is none of the formats we know.
    #[error(
        "{file} is not an image: neither a tarball (plain, gzip, xz, lzma, zstd) nor squashfs nor a disk (qcow2, vmdk, raw)"
    )]
    UnknownFormat {
        /// The file.
        file: PathBuf,
    },
    /// A format we know where it does not belong, such as a disk as metadata.
    #[error("{file} is {format}, which cannot be {role}")]
    Misplaced {
        /// The file.
        file: PathBuf,
        /// What it is.
        format: crate::Format,
        /// What it was given as.
        role: &'static str,
    },
    /// The archive ends early or its contents are garbled.
    #[error("{file} is damaged at byte {position} of its unpacked contents{}", within(.entry))]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Bytes read from the decompressed archive until then.
        position: u64,
        /// The entry that was being read.
        entry: Option<PathBuf>,
        /// What was noticed.
        #[source]
        source: io::Error,
    },
    /// An entry that would get out of the image, or cannot be a file.
    #[error("{file} has an entry we refuse: {entry:?} {why}")]
    Hostile {
        /// The file.
        file: PathBuf,
        /// The entry's name.
        entry: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The image is larger than it may be.
    #[error("{file} unpacks to more than {limit} {what}")]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// How much may be.
        limit: u64,
        /// Of what.
        what: &'static str,
    },
    /// No `metadata.yaml` where one must be.
    #[error("{file} has no metadata.yaml")]
    NoMetadata {
        /// The file.
        file: PathBuf,
    },
    /// No root in an image that is given as one file.
    #[error("{file} has neither a rootfs nor a disk")]
    NoRoot {
        /// The file.
        file: PathBuf,
    },
    /// A part of a backup that its index promises.
    #[error("the backup has no {part}")]
    NoPart {
        /// The file.
        file: PathBuf,
        /// What is missing.
        part: PathBuf,
    },
    /// A file that does not begin as a backup does.
    #[error("it is no backup: {why}")]
    NoBackup {
        /// What is wrong.
        why: &'static str,
    },
    /// A file that is not what it is said to be.
    #[error("it is no {what}: {why}")]
    NoDisk {
        /// Such as `ISO`.
        what: &'static str,
        /// What is wrong.
        why: &'static str,
    },
    /// A backup's index that does not say what it must.
    #[error("backup/index.yaml is invalid: {reason}")]
    Index {
        /// Where and what.
        reason: String,
    },
    /// A `metadata.yaml` that does not say what it must.
    #[error("metadata.yaml is invalid: {reason}")]
    Metadata {
        /// Where and what.
        reason: String,
    },
    /// A template that cannot be rendered.
    #[error("{why}")]
    Template {
        /// Where and what.
        why: String,
    },
    /// No such recipe.
    #[error("there is no recipe {name}; known are {known}")]
    UnknownRecipe {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// A recipe that makes no image of a machine.
    #[error("{name} can only be a container; virtual machines are made of {known}")]
    NoMachine {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// Something a build needs is not installed.
    #[error("{what} is not installed: apt install {package}")]
    Missing {
        /// What is needed.
        what: &'static str,
        /// The package that has it.
        package: &'static str,
    },
    /// A server does not give a file.
    #[error("cannot fetch {url}")]
    Web {
        /// The file.
        url: String,
        /// Why.
        source: Box<ureq::Error>,
    },
    /// A list of images is none.
    #[error("{url} is not a list of images as simplestreams has them")]
    List {
        /// The list.
        url: String,
        /// Why.
        source: serde_json::Error,
    },
    /// A file that was fetched is not what was announced.
    #[error("{url} is not what its list announces: its SHA-256 is {found}, not {wanted}")]
    Another {
        /// The file.
        url: String,
        /// What the list says.
        wanted: String,
        /// What came.
        found: String,
    },
    /// A file that was fetched has another length than was announced.
    #[error("{url} is not what its list announces: {found} bytes came of {wanted}")]
    Length {
        /// The file.
        url: String,
        /// What the list says.
        wanted: u64,
        /// What came until then.
        found: u64,
    },
    /// The start of a fingerprint that several images have.
    #[error("several images have a fingerprint that begins with {start}: give more of it")]
    Ambiguous {
        /// What was given.
        start: String,
    },
    /// A program failed.
    #[error(transparent)]
    Exec(exec::Error),
    /// The caller cancelled.
    #[error(transparent)]
    Cancelled(#[from] exec::Cancelled),
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

impl From<exec::Error> for Error {
    fn from(error: exec::Error) -> Error {
        if error.is_cancelled() { Error::Cancelled(exec::Cancelled) } else { Error::Exec(error) }
    }
}

impl Error {
    /// What fails with that address.
    pub(crate) fn web(url: &str) -> impl Fn(ureq::Error) -> Error {
        |source| Error::Web { url: url.to_owned(), source: Box::new(source) }
    }

    /// Whether the same may succeed a little later.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Error::Web { source, .. } => match **source {
                ureq::Error::StatusCode(code) => code == 429 || code >= 500,
                ureq::Error::Io(_)
                | ureq::Error::Timeout(_)
                | ureq::Error::HostNotFound
                | ureq::Error::ConnectionFailed => true,
                _ => false,
            },
            Error::Length { wanted, found, .. } => found < wanted,
            _ => false,
        }
    }
}

fn within(entry: &Option<PathBuf>) -> String {
    entry.as_ref().map(|entry| format!(", in {}", entry.display())).unwrap_or_default()
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
