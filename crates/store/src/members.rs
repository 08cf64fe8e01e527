//! Who belongs to the cluster. A new member first follows without a vote; when it has caught up it
//! can get one.

use std::collections::BTreeSet;

use openraft::ChangeMembers;
use openraft::error::{ChangeMembershipError, ClientWriteError, RaftError};
use serde::{Deserialize, Serialize};

use crate::options::{Member, MemberId};
use crate::raft::Raft;
use crate::rpc::Answer;

/// A change of the members, done by the leader.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Change {
    /// Follows from now on, without a vote.
    Add(Member),
    /// Gets a vote.
    Promote(MemberId),
    /// Loses its vote and goes on following.
    Demote(MemberId),
    /// These have votes, and no others.
    Vote(BTreeSet<MemberId>),
    /// Is sent nothing more.
    Remove(MemberId),
}

/// Makes the change, as the leader.
pub(crate) async fn change(raft: &Raft, change: Change) -> Answer {
    let done = match change {
        Change::Add(member) => raft.add_learner(member.id, member, true).await,
        Change::Promote(id) => {
            raft.change_membership(ChangeMembers::AddVoterIds(one(id)), true).await
        }
        Change::Demote(id) => {
            raft.change_membership(ChangeMembers::RemoveVoters(one(id)), true).await
        }
        Change::Vote(ids) => {
            raft.change_membership(ChangeMembers::ReplaceAllVoters(ids), true).await
        }
        Change::Remove(id) => {
            let voter = is_voter(raft, id);
            let change =
                if voter { ChangeMembers::RemoveVoters } else { ChangeMembers::RemoveNodes };
            raft.change_membership(change(one(id)), false).await
        }
    };
    match done {
        Ok(_) => Answer::Changed(Ok(())),
        Err(RaftError::APIError(ClientWriteError::ForwardToLeader(to))) => {
            Answer::NotLeader(to.leader_node)
        }
        // One change at a time: this one is tried again when the other is done.
        Err(RaftError::APIError(ClientWriteError::ChangeMembershipError(
            ChangeMembershipError::InProgress(_),
        ))) => Answer::NotLeader(None),
        Err(RaftError::APIError(error)) => Answer::Changed(Err(error.to_string())),
        Err(RaftError::Fatal(_)) => Answer::Stopped,
    }
}

fn one(id: MemberId) -> BTreeSet<MemberId> {
    BTreeSet::from([id])
}

fn is_voter(raft: &Raft, id: MemberId) -> bool {
    raft.metrics().borrow().membership_config.membership().voter_ids().any(|voter| voter == id)
}
