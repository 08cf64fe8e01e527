//! This member as the one that is called.

use std::io;
use std::time::Duration;

use openraft::error::{CheckIsLeaderError, ClientWriteError, RaftError};

use crate::core::Core;
use crate::members;
use crate::raft::Raft;
use crate::rpc::{self, Answer, Ask, Hello, Welcome};
use crate::status::acknowledged;
use crate::transport::Stream;

/// How long a caller may take to say who is meant.
const GREETING: Duration = Duration::from_secs(10);

/// Heartbeats without an answer, after which a leader takes no changes: an election begins after 9 to 12.
const PATIENT: u32 = 12;

/// Answers one connection until it ends.
pub(crate) async fn serve(core: &Core, raft: &Raft, stream: &mut dyn Stream) -> io::Result<()> {
    let greeting = tokio::time::timeout(GREETING, rpc::receive::<Hello>(stream));
    let hello = greeting.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let welcome: Welcome = objection(core, &hello);
    rpc::send(stream, &welcome).await?;
    if let Some(why) = welcome {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    loop {
        let ask = match rpc::receive_known(stream).await {
            Ok(Some(ask)) => ask,
            Ok(None) => {
                rpc::send(stream, &Answer::Unknown).await?;
                continue;
            }
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(e) => return Err(e),
        };
        core.check().map_err(io::Error::other)?;
        let answer = answer(core, raft, ask).await;
        rpc::send(stream, &answer).await?;
    }
}

fn objection(core: &Core, hello: &Hello) -> Option<String> {
    if !(rpc::OLDEST..=rpc::VERSION).contains(&hello.version) {
        return Some(format!("it speaks version {}, not {}", rpc::VERSION, hello.version));
    }
    if hello.cluster != core.identity.cluster {
        return Some("it belongs to another cluster".into());
    }
    (hello.to != core.me).then(|| format!("it is member {}, not {}", core.me, hello.to))
}

/// Does what is asked, as far as this member can.
pub(crate) async fn answer(core: &Core, raft: &Raft, ask: Ask) -> Answer {
    match ask {
        Ask::Append(request) => Answer::Append(raft.append_entries(request).await),
        Ask::Vote(request) => Answer::Vote(raft.vote(request).await),
        Ask::Snapshot(request) => Answer::Snapshot(raft.install_snapshot(request).await),
        // What it puts into its log now may take effect much later, or never.
        Ask::Propose(_) if is_cut_off(core, raft) => Answer::NotLeader(None),
        Ask::Propose(request) => match raft.client_write(request).await {
            Ok(response) => Answer::Proposed(response.data),
            Err(RaftError::APIError(ClientWriteError::ForwardToLeader(to))) => {
                Answer::NotLeader(to.leader_node)
            }
            Err(RaftError::APIError(ClientWriteError::ChangeMembershipError(_))) => {
                Answer::NotLeader(None)
            }
            Err(RaftError::Fatal(_)) => Answer::Stopped,
        },
        Ask::ReadIndex => match raft.get_read_log_id().await {
            Ok((index, _)) => Answer::ReadIndex(index.map_or(0, |id| id.index)),
            Err(RaftError::APIError(CheckIsLeaderError::ForwardToLeader(to))) => {
                Answer::NotLeader(to.leader_node)
            }
            Err(RaftError::APIError(CheckIsLeaderError::QuorumNotEnough(_))) => {
                Answer::NotLeader(None)
            }
            Err(RaftError::Fatal(_)) => Answer::Stopped,
        },
        Ask::Change(change) => members::change(raft, change).await,
        // Asked by members of the version before.
        Ask::KnownLevel => Answer::KnownLevel(core.options.known_level()),
    }
}

/// Whether this member leads, and nobody has followed for so long that the others have another leader by now.
fn is_cut_off(core: &Core, raft: &Raft) -> bool {
    let acknowledged = acknowledged(&raft.metrics().borrow());
    acknowledged.is_some_and(|ago| ago > core.options.heartbeat * PATIENT)
}
