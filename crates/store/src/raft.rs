//! The types openraft works with.

use crate::options::{Member, MemberId};
use crate::request::{Reply, Request};

openraft::declare_raft_types!(
    pub(crate) Types:
        D = Request,
        R = Reply,
        NodeId = MemberId,
        Node = Member,
        Entry = openraft::Entry<Types>,
        SnapshotData = tokio::fs::File,
);

pub(crate) type Raft = openraft::Raft<Types>;
pub(crate) type Entry = openraft::Entry<Types>;
pub(crate) type LogId = openraft::LogId<MemberId>;
pub(crate) type Vote = openraft::Vote<MemberId>;
pub(crate) type StoredMembership = openraft::StoredMembership<MemberId, Member>;
pub(crate) type Membership = openraft::Membership<MemberId, Member>;
pub(crate) type StorageError = openraft::StorageError<MemberId>;
pub(crate) type SnapshotMeta = openraft::SnapshotMeta<MemberId, Member>;
