//! What members say to one another, and the frames it travels in: a length of four bytes, then
//! MessagePack. The first frame says which cluster and which member is meant, so that a member of
//! another cluster, or one that was given up, is turned away.

use std::io;

use openraft::error::{InstallSnapshotError, RaftError};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use uuid::Uuid;

use crate::codec::{decode, encode};
use crate::members::Change;
use crate::options::{Member, MemberId};
use crate::raft::Types;
use crate::request::{Reply, Request};
use crate::transport::Stream;

/// Version of everything in this file. Fields that are added are no other version: who does not know them leaves them
/// out. Nor are questions: who does not know one says so. A caller says which version it speaks, so one that could
/// speak a newer one begins with it only when all members understand it.
pub(crate) const VERSION: u32 = 1;
/// The oldest version that is still understood.
pub(crate) const OLDEST: u32 = 1;

/// Bytes of a frame, at most.
const MOST: u32 = 256 << 20;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) version: u32,
    pub(crate) cluster: Uuid,
    pub(crate) to: MemberId,
}

/// The answer to [`Hello`]: why not, or nothing.
pub(crate) type Welcome = Option<String>;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Ask {
    Append(AppendEntriesRequest<Types>),
    Vote(VoteRequest<MemberId>),
    Snapshot(InstallSnapshotRequest<Types>),
    /// To the leader: put this in the log.
    Propose(Request),
    /// To the leader: how far must a read wait?
    ReadIndex,
    /// To the leader: change the members.
    Change(Change),
    /// Which level of the schema do you know?
    KnownLevel,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Append(Result<AppendEntriesResponse<MemberId>, RaftError<MemberId>>),
    Vote(Result<VoteResponse<MemberId>, RaftError<MemberId>>),
    Snapshot(Result<InstallSnapshotResponse<MemberId>, RaftError<MemberId, InstallSnapshotError>>),
    Proposed(Reply),
    ReadIndex(u64),
    Changed(Result<(), String>),
    KnownLevel(u32),
    /// Another member leads, if known which; or nobody does.
    NotLeader(Option<Member>),
    /// Its store has ended.
    Stopped,
    /// A member of this version does not know the question.
    Unknown,
}

pub(crate) async fn send<T: Serialize>(stream: &mut dyn Stream, value: &T) -> io::Result<()> {
    let body = encode(value).map_err(io::Error::other)?;
    let length = u32::try_from(body.len()).ok().filter(|length| *length <= MOST);
    let length = length.ok_or_else(|| io::Error::other("the message is too large"))?;
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(&body).await?;
    stream.flush().await
}

pub(crate) async fn receive<T: DeserializeOwned>(stream: &mut dyn Stream) -> io::Result<T> {
    decode(&frame(stream).await?).map_err(io::Error::other)
}

/// The same for a question; nothing for one that this version does not know.
pub(crate) async fn receive_known(stream: &mut dyn Stream) -> io::Result<Option<Ask>> {
    let body = frame(stream).await?;
    let known = decode(&body).inspect_err(|error| tracing::debug!(error, "an unknown question"));
    Ok(known.ok())
}

async fn frame(stream: &mut dyn Stream) -> io::Result<Vec<u8>> {
    let length = stream.read_u32().await?;
    if length > MOST {
        return Err(io::Error::other("the message is too large"));
    }
    let mut body = Vec::new();
    // Grows with what arrives, whatever length was announced.
    let read = (&mut *stream).take(length.into()).read_to_end(&mut body).await?;
    if read < length as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(body)
}
