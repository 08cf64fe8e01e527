//! How a store is opened, and who its members are.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::transport::{Nobody, Transport};

/// Number of a member; never given twice in the life of a cluster.
pub type MemberId = u64;

/// A member of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its number.
    pub id: MemberId,
    /// Its name.
    pub name: String,
    /// Where the transport reaches it.
    pub address: String,
}

/// One step of the schema. Steps are never edited once released, only added.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// 1 for the first, then one more each.
    pub level: u32,
    /// Short name for messages.
    pub name: &'static str,
    /// What it means to programs of the version before.
    pub kind: Kind,
    /// Statements; foreign keys are checked at their end only.
    pub sql: &'static str,
}

/// What a step means to programs of the version before, which work beside newer ones while members are upgraded one
/// after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// They work after it, too: the first member that knows it may make it.
    Adds,
    /// They do not work after it, nor does this program before it.
    Breaks,
    /// They do not work after it; this program works before it, too.
    BreaksLater,
}

impl Kind {
    /// Whether programs of the version before do not work after it.
    pub fn breaks(self) -> bool {
        self != Kind::Adds
    }
}

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The steps of the schema this program knows, in order of their level.
    pub schema: &'static [Migration],
    /// Who this member is; taken when the folder is new.
    pub me: Member,
    /// The cluster to join, as told by [`Status::cluster`](crate::Status::cluster) of a member;
    /// taken when the folder is new. Without it a new folder becomes a cluster of its own.
    pub join: Option<Uuid>,
    /// How the other members are reached.
    pub transport: Arc<dyn Transport>,
    /// Time between two heartbeats of the leader. It leads for sure for 6 of them; who hears no more for 9 to 12 begins
    /// an election, which is tried again after 3 to 6.
    pub heartbeat: Duration,
    /// How long a write waits for a leader.
    pub patience: Duration,
    /// Entries of the log between two snapshots.
    pub snapshot_every: u64,
}

impl Options {
    /// The usual options for a program with this schema: a member numbered 1 that founds a
    /// cluster of its own when the folder is new.
    pub fn new(schema: &'static [Migration]) -> Options {
        Options {
            schema,
            me: Member { id: 1, name: "none".into(), address: String::new() },
            join: None,
            transport: Arc::new(Nobody),
            heartbeat: Duration::from_millis(150),
            patience: Duration::from_secs(10),
            snapshot_every: 4096,
        }
    }

    /// The newest level the program knows.
    pub(crate) fn known_level(&self) -> u32 {
        self.schema.last().map_or(0, |m| m.level)
    }

    /// The level without which the program does not work.
    pub(crate) fn works_from(&self) -> u32 {
        let needed = self.schema.iter().rfind(|m| m.kind != Kind::BreaksLater);
        needed.map_or(0, |m| m.level)
    }
}
