//! How members talk to one another.

use openraft::RaftNetworkFactory;
use openraft::error::{InstallSnapshotError, RPCError, RaftError, Unreachable};
use openraft::network::{RPCOption, RaftNetwork};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};

use crate::options::{Member, MemberId};
use crate::raft::Types;

pub(crate) struct Network;
pub(crate) struct Peer;

type Failed<E = openraft::error::Infallible> = RPCError<MemberId, Member, RaftError<MemberId, E>>;

fn nobody<E: std::error::Error>() -> Failed<E> {
    let error = std::io::Error::from(std::io::ErrorKind::NotConnected);
    RPCError::Unreachable(Unreachable::new(&error))
}

impl RaftNetworkFactory<Types> for Network {
    type Network = Peer;
    async fn new_client(&mut self, _target: MemberId, _node: &Member) -> Peer {
        Peer
    }
}

impl RaftNetwork<Types> for Peer {
    async fn append_entries(
        &mut self,
        _request: AppendEntriesRequest<Types>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<MemberId>, Failed> {
        Err(nobody())
    }

    async fn install_snapshot(
        &mut self,
        _request: InstallSnapshotRequest<Types>,
        _option: RPCOption,
    ) -> Result<InstallSnapshotResponse<MemberId>, Failed<InstallSnapshotError>> {
        Err(nobody())
    }

    async fn vote(
        &mut self,
        _request: VoteRequest<MemberId>,
        _option: RPCOption,
    ) -> Result<VoteResponse<MemberId>, Failed> {
        Err(nobody())
    }
}
