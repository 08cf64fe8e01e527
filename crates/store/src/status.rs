//! How the store is, for people and for the cluster's health.

use std::time::Duration;

use openraft::{RaftMetrics, ServerState};
use uuid::Uuid;

use crate::options::{Member, MemberId};

/// What this member is in the cluster now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It orders the writes.
    Leader,
    /// It follows and votes.
    Follower,
    /// It seeks votes to lead.
    Candidate,
    /// It follows without a vote.
    Learner,
    /// It has stopped.
    Stopped,
}

/// A moment's state of the store.
#[derive(Clone, Debug)]
pub struct Status {
    /// The cluster; given to those that join.
    pub cluster: Uuid,
    /// This member.
    pub me: MemberId,
    /// What it is.
    pub role: Role,
    /// The leader it knows.
    pub leader: Option<MemberId>,
    /// How long ago a majority last answered this member, if it leads; nothing while it does not.
    pub acknowledged: Option<Duration>,
    /// Number of the election.
    pub term: u64,
    /// Index of the last entry in the log.
    pub last_index: u64,
    /// Index of the last entry applied.
    pub applied_index: u64,
    /// Level of the schema.
    pub schema_level: u32,
    /// All members and whether each has a vote.
    pub members: Vec<(Member, bool)>,
    /// The error that stopped it.
    pub fault: Option<String>,
}

/// How long ago a majority answered the leader; one with the only vote needs no answer.
pub(crate) fn acknowledged(metrics: &RaftMetrics<MemberId, Member>) -> Option<Duration> {
    if metrics.state != ServerState::Leader {
        return None;
    }
    match metrics.membership_config.membership().voter_ids().eq([metrics.id]) {
        true => Some(Duration::ZERO),
        false => metrics.millis_since_quorum_ack.map(Duration::from_millis),
    }
}
