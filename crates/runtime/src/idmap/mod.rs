//! Which host ids an instance gets.
//!
//! ```text
//! /etc/subuid, /etc/subgid --host_ranges--> ranges for root --shared--> the map most instances share
//!                                                  |--Allocator--> own blocks of isolated instances
//! map + raw.idmap --merge--> lines of uid_map and gid_map
//! ```
//! Pure: the daemon reads the files and remembers what it has given out. With id-mapped mounts files
//! keep their plain ids on disk, so to change an instance's map costs nothing.

mod allocate;
mod ranges;
mod raw;

pub use allocate::Allocator;
pub use ranges::{DEFAULT, Range, host_ranges, shared};
pub use raw::{Kind, MapLine, Maps, RawEntry, merge, parse_raw};

/// What a system container needs: all ids of 16 bits.
pub const BLOCK: u32 = 65_536;

/// Why an instance gets no map.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A line of /etc/subuid or /etc/subgid makes no sense.
    #[error("line {line:?} of {file} is not of the form USER:FIRST:COUNT")]
    BadRange {
        /// The file.
        file: &'static str,
        /// The line.
        line: String,
    },
    /// No range in both files is large enough.
    #[error(
        "no range of root in /etc/subuid and /etc/subgid has {needed} ids; add for example the line \
         \"root:1000000:1000000000\" to both"
    )]
    TooSmall {
        /// How many ids are needed.
        needed: u32,
    },
    /// All is taken.
    #[error("no {size} host ids in a row are left for an isolated instance")]
    Full {
        /// How many were wanted.
        size: u32,
    },
    /// The ids wished for are not root's, or taken.
    #[error("host ids {wanted} are not free for an isolated instance")]
    NotFree {
        /// The wish.
        wanted: Range,
    },
    /// An entry of raw.idmap makes no sense.
    #[error("entry {entry:?} of raw.idmap is not of the form uid|gid|both HOST[-HOST] ID[-ID]")]
    BadEntry {
        /// The entry.
        entry: String,
    },
    /// Its two ranges differ in length.
    #[error("entry {entry:?} of raw.idmap maps {host} host ids to {inside}")]
    Uneven {
        /// The entry.
        entry: String,
        /// Host ids.
        host: u32,
        /// Ids inside.
        inside: u32,
    },
    /// Two entries of raw.idmap are about the same ids.
    #[error("raw.idmap maps {ids} twice")]
    Twice {
        /// Which: "host ids 5-9" or "ids 5-9 inside".
        ids: String,
    },
    /// A host id of raw.idmap is in the instance's own range.
    #[error("host ids {ids} of raw.idmap belong to the instance already")]
    Own {
        /// The host ids.
        ids: Range,
    },
    /// The kernel takes 340 lines.
    #[error("raw.idmap leads to {count} lines in the id map, the kernel takes {limit}")]
    TooMany {
        /// How many there would be.
        count: usize,
        /// The kernel's bound.
        limit: usize,
    },
}
