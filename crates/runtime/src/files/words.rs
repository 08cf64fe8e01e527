//! What is asked of and told about files.

use std::path::PathBuf;

use rustix::fs::{FileType, Stat};
use serde::{Deserialize, Serialize};

/// What something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A device, a pipe, a socket: it is shown and removed, never opened.
    Other,
}

/// What is to be seen of a file. Ids are as the instance counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// What it is.
    pub kind: FileKind,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Type and permissions, as `st_mode`.
    pub mode: u32,
    /// Bytes.
    pub size: u64,
    /// Seconds since 1970.
    pub modified: i64,
    /// Seconds since 1970.
    pub accessed: i64,
}

impl From<&Stat> for Seen {
    fn from(stat: &Stat) -> Seen {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => FileKind::File,
            FileType::Directory => FileKind::Folder,
            FileType::Symlink => FileKind::Link,
            _ => FileKind::Other,
        };
        Seen {
            kind,
            uid: stat.st_uid,
            gid: stat.st_gid,
            mode: stat.st_mode,
            size: u64::try_from(stat.st_size).unwrap_or_default(),
            modified: stat.st_mtime,
            accessed: stat.st_atime,
        }
    }
}

/// A name in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The name; what is no text in it is replaced.
    pub name: String,
    /// What it is.
    pub seen: Seen,
}

/// Who owns a file and who may do what with it; `None` leaves what is there, or the usual.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Owner {
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
    /// Permissions, at most 0o7777.
    pub mode: Option<u32>,
}

/// What is to be changed of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Change {
    /// Owner and permissions.
    pub owner: Owner,
    /// Bytes it is to have.
    pub size: Option<u64>,
    /// When it was read and changed: seconds since 1970.
    pub times: Option<(i64, i64)>,
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Writing {
    /// Whole, beside the old one, which it takes the place of once it is complete.
    Replace,
    /// Behind what is there.
    Append,
    /// In its place, anywhere; `truncate` empties it first, `new` is an error when it is there.
    Within {
        /// Also read.
        read: bool,
        /// Make it if it is not there.
        create: bool,
        /// Empty it first.
        truncate: bool,
        /// It must not be there.
        new: bool,
    },
}

/// A request, for whoever carries it another way than [`super::Files`] does.
#[expect(missing_docs, reason = "each is a verb of `Files`, with its arguments")]
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "ask")]
pub enum Ask {
    Look {
        path: PathBuf,
        follow: bool,
    },
    List {
        path: PathBuf,
    },
    Link {
        path: PathBuf,
    },
    /// The answer carries the file.
    Read {
        path: PathBuf,
    },
    /// The answer carries the file.
    Write {
        path: PathBuf,
        how: Writing,
        owner: Owner,
    },
    /// What was written to replace a file takes its place.
    Commit,
    MakeFolder {
        path: PathBuf,
        owner: Owner,
    },
    MakeLink {
        path: PathBuf,
        target: PathBuf,
        owner: Owner,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
        replace: bool,
    },
    Remove {
        path: PathBuf,
        kind: Option<FileKind>,
    },
    Change {
        path: PathBuf,
        change: Change,
    },
    /// The whole path of what is there, links resolved.
    Resolve {
        path: PathBuf,
    },
}

/// An answer.
#[expect(missing_docs, reason = "each is what a verb of `Files` gives")]
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "told")]
pub enum Told {
    Done,
    Seen { seen: Seen },
    List { entries: Vec<Entry> },
    Path { path: PathBuf },
    Failed { errno: i32 },
}
