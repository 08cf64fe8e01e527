//! This member as a caller: connections to the others, kept while they work.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openraft::RaftNetworkFactory;
use openraft::error::{
    InstallSnapshotError, NetworkError, RPCError, RaftError, RemoteError, Unreachable,
};
use openraft::network::{RPCOption, RaftNetwork};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::options::{Member, MemberId};
use crate::raft::Types;
use crate::rpc::{self, Answer, Ask, Hello, Welcome};
use crate::transport::{Stream, Transport};

/// A piece of a snapshot is written and synced by the other side before it answers.
const SNAPSHOT_TIME: Duration = Duration::from_secs(30);

/// What is needed to reach members.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) cluster: Uuid,
}

/// One member, reached over one connection at a time.
pub(crate) struct Peer {
    network: Network,
    member: Member,
    /// Taken out while in use, so that a call that is given up closes it.
    idle: Mutex<Option<Box<dyn Stream>>>,
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peer").field("member", &self.member).finish_non_exhaustive()
    }
}

impl Peer {
    pub(crate) fn new(network: Network, member: Member) -> Peer {
        Peer { network, member, idle: Mutex::default() }
    }

    pub(crate) fn member(&self) -> &Member {
        &self.member
    }

    /// Asks and waits for the answer.
    pub(crate) async fn call(&self, ask: &Ask, time: Duration) -> Result<Answer, Failure> {
        let end = Instant::now() + time;
        let mut stream = match self.take() {
            Some(stream) => stream,
            None => within(end, self.connect()).await.map_err(Failure::NotSent)?,
        };
        let call = async {
            rpc::send(&mut *stream, ask).await?;
            rpc::receive(&mut *stream).await
        };
        let answer = within(end, call).await.map_err(Failure::Lost)?;
        *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream);
        Ok(answer)
    }

    fn take(&self) -> Option<Box<dyn Stream>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let mut stream = self.network.transport.dial(&self.member).await?;
        let hello =
            Hello { version: rpc::VERSION, cluster: self.network.cluster, to: self.member.id };
        rpc::send(&mut *stream, &hello).await?;
        match rpc::receive::<Welcome>(&mut *stream).await? {
            None => Ok(stream),
            Some(why) => Err(io::Error::new(io::ErrorKind::PermissionDenied, why)),
        }
    }
}

async fn within<T>(end: Instant, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout_at(end, work).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// A question without an answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The member did not get it.
    NotSent(io::Error),
    /// The member may have got it.
    Lost(io::Error),
}

impl Failure {
    pub(crate) fn error(&self) -> &io::Error {
        match self {
            Failure::NotSent(error) | Failure::Lost(error) => error,
        }
    }
}

impl RaftNetworkFactory<Types> for Network {
    type Network = Peer;

    async fn new_client(&mut self, _id: MemberId, member: &Member) -> Peer {
        Peer::new(self.clone(), member.clone())
    }
}

type Failed<E = openraft::error::Infallible> = RPCError<MemberId, Member, RaftError<MemberId, E>>;

impl Peer {
    fn failed<E: std::error::Error>(failure: &Failure) -> Failed<E> {
        match failure {
            // The connection broke: once more, at once.
            Failure::Lost(error) if error.kind() != io::ErrorKind::TimedOut => {
                RPCError::Network(NetworkError::new(error))
            }
            _ => RPCError::Unreachable(Unreachable::new(failure.error())),
        }
    }

    fn refused<E: std::error::Error>(&self, error: RaftError<MemberId, E>) -> Failed<E> {
        RPCError::RemoteError(RemoteError::new(self.member.id, error))
    }

    fn unexpected<E: std::error::Error>() -> Failed<E> {
        let error = io::Error::other("the member answered something else");
        RPCError::Unreachable(Unreachable::new(&error))
    }
}

impl RaftNetwork<Types> for Peer {
    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<MemberId>, Failed> {
        match self.call(&Ask::Append(request), option.hard_ttl()).await {
            Ok(Answer::Append(answer)) => answer.map_err(|e| self.refused(e)),
            Ok(_) => Err(Peer::unexpected()),
            Err(e) => Err(Peer::failed(&e)),
        }
    }

    async fn install_snapshot(
        &mut self,
        request: InstallSnapshotRequest<Types>,
        option: RPCOption,
    ) -> Result<InstallSnapshotResponse<MemberId>, Failed<InstallSnapshotError>> {
        let time = option.hard_ttl().max(SNAPSHOT_TIME);
        match self.call(&Ask::Snapshot(request), time).await {
            Ok(Answer::Snapshot(answer)) => answer.map_err(|e| self.refused(e)),
            Ok(_) => Err(Peer::unexpected()),
            Err(e) => Err(Peer::failed(&e)),
        }
    }

    async fn vote(
        &mut self,
        request: VoteRequest<MemberId>,
        option: RPCOption,
    ) -> Result<VoteResponse<MemberId>, Failed> {
        match self.call(&Ask::Vote(request), option.hard_ttl()).await {
            Ok(Answer::Vote(answer)) => answer.map_err(|e| self.refused(e)),
            Ok(_) => Err(Peer::unexpected()),
            Err(e) => Err(Peer::failed(&e)),
        }
    }
}
