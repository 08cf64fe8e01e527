//! What only the leader can do, asked from any member: it is done here when this member leads, and
//! sent to the leader otherwise, again and again until there is one or patience ends.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout_at};

use crate::core::Core;
use crate::error::{Error, Result};
use crate::members::Change;
use crate::options::Member;
use crate::peer::{Failure, Network, Peer};
use crate::raft::Raft;
use crate::request::{Reply, Request};
use crate::rpc::{Answer, Ask};
use crate::serve;

/// Between two looks for a leader.
const RETRY: Duration = Duration::from_millis(25);

/// The way to the leader.
pub(crate) struct Leader {
    core: Arc<Core>,
    raft: Raft,
    network: Network,
    /// The leader that was asked last.
    last: Mutex<Option<Peer>>,
}

impl Leader {
    pub(crate) fn new(core: Arc<Core>, raft: Raft, network: Network) -> Leader {
        Leader { core, raft, network, last: Mutex::default() }
    }

    /// Puts an entry in the log. It may get there twice when a connection breaks.
    pub(crate) async fn propose(&self, request: Request) -> Result<Reply> {
        match self.insist(Ask::Propose(request)).await? {
            Answer::Proposed(reply) => Ok(reply),
            _ => Err(Error::Uncertain),
        }
    }

    /// Waits until this member has everything that was acknowledged anywhere before.
    pub(crate) async fn catch_up(&self) -> Result<()> {
        let index = match self.insist(Ask::ReadIndex).await {
            Ok(Answer::ReadIndex(index)) => index,
            Ok(_) | Err(Error::Uncertain) => return Err(Error::NoQuorum),
            Err(error) => return Err(error),
        };
        let wait = self.raft.wait(Some(self.core.options.patience));
        let applied = wait.applied_index_at_least(Some(index), "what was acknowledged").await;
        applied.map(|_| ()).map_err(|_| self.core.check().err().unwrap_or(Error::NoQuorum))
    }

    /// Changes the members.
    pub(crate) async fn change(&self, change: Change) -> Result<()> {
        match self.insist(Ask::Change(change)).await? {
            Answer::Changed(done) => done.map_err(|reason| Error::Members { reason }),
            _ => Err(Error::Uncertain),
        }
    }

    async fn insist(&self, ask: Ask) -> Result<Answer> {
        let end = Instant::now() + self.core.options.patience;
        let mut maybe_done = false;
        loop {
            self.core.check()?;
            let here = serve::answer(&self.core, &self.raft, ask.clone());
            match timeout_at(end, here).await.map_err(|_| Error::Uncertain)? {
                Answer::NotLeader(Some(member)) => match self.ask(&member, &ask, end).await {
                    Ok(Answer::NotLeader(_) | Answer::Stopped) => {}
                    Ok(answer) => return Ok(answer),
                    Err(failure) => {
                        let error = failure.error();
                        tracing::debug!(member = member.id, %error, "cannot ask the leader");
                        maybe_done |= matches!(failure, Failure::Lost(_));
                    }
                },
                Answer::NotLeader(None) => {}
                Answer::Stopped => return Err(self.core.check().err().unwrap_or(Error::Closed)),
                answer => return Ok(answer),
            }
            if Instant::now() + RETRY >= end {
                return Err(if maybe_done { Error::Uncertain } else { Error::NoQuorum });
            }
            sleep(RETRY).await;
        }
    }

    /// Asks the member, over the connection of last time when there is one.
    async fn ask(&self, member: &Member, ask: &Ask, end: Instant) -> Result<Answer, Failure> {
        let kept = self.last.lock().await.take().filter(|peer| peer.member() == member);
        let peer = kept.unwrap_or_else(|| Peer::new(self.network.clone(), member.clone()));
        let answer = peer.call(ask, end.saturating_duration_since(Instant::now())).await?;
        *self.last.lock().await = Some(peer);
        Ok(answer)
    }
}
