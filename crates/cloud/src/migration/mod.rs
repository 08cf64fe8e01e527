//! What goes between two servers, whatever is copied: two websockets or three, and who says what on them when.
//!
//! ```text
//! control   target: hello (version, driver) ─> source: ready (size) ─> target: done
//! fs                                   source: that many bytes, a backup of it
//! ```
//! Of a machine that runs, with its memory (`ready` says that it is one, and how it is built):
//! ```text
//! control   hello ─> ready ─> target: waiting (it has all but the disk as it is now) ─> source: same, go ─> target: done
//! fs        a backup, then NBD between the two QEMUs
//! criu      source's QEMU: its memory, and back a message for each that was taken
//! ```
//! Between members of one cluster, where the row goes along, the file is followed by those of the instance's backups:
//! `kept` (name, size) and that many bytes each, then `all`.
//!
//! Who is at work says `working` meanwhile; who gives up says `failed` and why. Each end may be the one that
//! connects, and a client may carry both websockets between them: neither end sees a difference. The verbs that
//! talk so are in `instances/migrate`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::instances::machine::memory::Frame;

mod cargo;
mod far;
mod link;
mod voyages;

pub(crate) use self::{
    far::Far,
    link::{Link, Way, What},
    voyages::{Voyage, Voyages},
};

/// The newest version of what is said. Fields that are added are no other version: who does not know them skips them.
pub(crate) const VERSION: u32 = SAME;
/// From this version on the source says that the two disks are the same.
pub(crate) const SAME: u32 = 3;
/// The oldest that is still spoken: that of the release before.
pub(crate) const OLDEST: u32 = 2;

/// The version that two servers speak, of which the other one speaks these; an old one tells only its newest.
pub(crate) fn agreed(version: u32, oldest: u32) -> Option<u32> {
    let oldest = if oldest == 0 { version } else { oldest };
    let newest = version.min(VERSION);
    (newest >= oldest.max(OLDEST)).then_some(newest)
}

/// How long the other end has to connect, and to come up with something on a connection that stands.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How often who is at work says so.
const SIGN: Duration = Duration::from_secs(5);

/// What the ends say to each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub(crate) enum Said {
    /// The target: what it is.
    Hello {
        version: u32,
        #[serde(default)]
        oldest: u32,
        /// The driver of the pool that is to take it, where that is known: its streams can be sent.
        driver: Option<String>,
    },
    /// The source: what it is that comes, and the version that is spoken from now on.
    Ready {
        version: u32,
        size: u64,
        /// How QEMU is to be made there, of a machine that runs.
        #[serde(default)]
        machine: Option<Frame>,
    },
    /// The source, to another member: a file of a backup of it that is kept.
    Kept { name: String, size: u64 },
    /// The source, to another member: that was all.
    All,
    /// The target: it can take disk and memory.
    Waiting,
    /// The source: its guest stands still, and what the disk of both has is the same; nothing more is written to the
    /// target's from there.
    Same,
    /// The source: its guest stands still, and all of it was sent. It never runs there again unless the target
    /// says that it failed.
    Go,
    /// Whoever is at work.
    Working,
    /// The target: it has all, durably.
    Done,
    /// Whoever gives up.
    Failed { why: String },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_that_both_speak_is_spoken() {
        assert_eq!(agreed(VERSION, 0), Some(VERSION));
        assert_eq!(agreed(VERSION + 1, VERSION), Some(VERSION));
        assert_eq!(agreed(VERSION + 2, VERSION + 1), None);
        assert_eq!(agreed(VERSION + 1, 0), None);
        assert_eq!(agreed(OLDEST - 1, 0), None);
    }
}
