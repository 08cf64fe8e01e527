//! Opening: lock the folder, found a cluster when it is new, repair what a crash left, and start
//! Raft on a thread of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use openraft::storage::StorageHelper;
use openraft::{CommittedLeaderId, EntryPayload, SnapshotPolicy};
use tokio::sync::oneshot;

use crate::core::Core;
use crate::error::{BoxError, Error, Result};
use crate::fault::Fault;
use crate::files::Folder;
use crate::leader::Leader;
use crate::log::{self, Log};
use crate::log_file::{Identity, LogFile};
use crate::machine::Machine;
use crate::options::{Member, Options};
use crate::peer::Network;
use crate::raft::{Entry, LogId, Membership, Raft, Vote};
use crate::{copies, migrate, recover, ship, snapshot};

/// How often the space for a full disk is looked at.
const LOOK: Duration = Duration::from_secs(60);

/// A store that runs.
pub(crate) struct Running {
    pub(crate) core: Arc<Core>,
    pub(crate) raft: Raft,
    pub(crate) leader: Arc<Leader>,
    /// It is the only one with a vote.
    pub(crate) alone: bool,
    /// Dropped to end the thread.
    pub(crate) stop: oneshot::Sender<()>,
    pub(crate) thread: JoinHandle<()>,
}

/// What the files hold, ready to run.
struct Prepared {
    core: Arc<Core>,
    log: Log,
}

/// Raft, and whether this member is the only one with a vote.
struct Started {
    raft: Raft,
    leader: Arc<Leader>,
    alone: bool,
    /// Of the first batch.
    number: u64,
}

pub(crate) async fn open(dir: &std::path::Path, options: Options) -> Result<Running> {
    migrate::check_list(options.schema)?;
    let Prepared { core, log } = prepare(Folder::lock(dir)?, options)?;
    let (ready, started) = oneshot::channel();
    let (stop, stopping) = oneshot::channel();
    let of_thread = core.clone();
    let thread = std::thread::Builder::new()
        .name("store".into())
        .spawn(move || thread_main(&of_thread, log, ready, stopping))
        .map_err(|e| Error::file("start a thread for", dir, e))?;
    let Started { raft, leader, alone, .. } = started.await.map_err(|_| Error::Closed)??;
    Ok(Running { core, raft, leader, alone, stop, thread })
}

fn prepare(folder: Folder, options: Options) -> Result<Prepared> {
    let path = folder.log();
    let file = log::open_file(&path).map_err(|e| Error::file("open", &path, e))?;
    let read = |e: BoxError| Error::file("read", folder.log(), e);
    let identity = match file.identity().map_err(read)? {
        Some(identity) => identity,
        None if folder.state().exists() => return Err(folder.damaged("log.db is missing or empty")),
        None => found(&file, &options).map_err(read)?,
    };
    let core = Core::open(folder.clone(), options, identity)?;
    let log = Log::open(file, core.fault.clone(), core.reserve.clone()).map_err(read)?;
    catch_up(&core, &log)?;
    renew_vote(&core, &log)?;
    Ok(Prepared { core: Arc::new(core), log })
}

/// Makes a cluster of one member, or a member that waits to be added to one.
fn found(file: &LogFile, options: &Options) -> Result<Identity, BoxError> {
    file.commit(|file| match options.join {
        None => recover::found_after(file, &options.me, None),
        Some(cluster) => file.set_identity(&Identity { cluster, me: options.me.clone() }),
    })?;
    file.identity()?.ok_or_else(|| "the cluster was not founded".into())
}

/// The entry that makes a member the only one.
pub(crate) fn sole_member(me: &Member, term: u64, index: u64) -> Entry {
    let voters = vec![BTreeSet::from([me.id])];
    let members = Membership::new(voters, BTreeMap::from([(me.id, me.clone())]));
    Entry {
        log_id: LogId::new(CommittedLeaderId::new(term, me.id), index),
        payload: EntryPayload::Membership(members),
    }
}

/// A state older than the log's first entry is taken from the snapshot.
fn catch_up(core: &Core, log: &Log) -> Result<()> {
    let mut state = core.state();
    let Some(purged) = log.purged() else { return Ok(()) };
    if state.meta.applied >= Some(purged) {
        return Ok(());
    }
    let path = core.folder.snapshot();
    let copy = snapshot::read_meta(&path).map_err(|e| Error::file("read", &path, e))?;
    if copy.applied < Some(purged) {
        return Err(core.folder.damaged("state and snapshot are older than the log"));
    }
    tracing::warn!(from = state.meta.index(), to = copy.index(), "state taken from the snapshot");
    state.replace_by(&path).map_err(|e| Fault::new("restore the state", e))?;
    core.announce(&state);
    Ok(())
}

/// A vote older than what was applied lost its own last change. This member may have led in that
/// term, so it leads again only in a later one.
fn renew_vote(core: &Core, log: &Log) -> Result<()> {
    let applied = core.state().meta.applied;
    let Some(newest) = applied.max(log.last()) else { return Ok(()) };
    let term = newest.leader_id.term;
    if log.vote().is_some_and(|vote| vote.leader_id.term >= term) {
        return Ok(());
    }
    log.set_vote(Vote::new(term, core.me)).map_err(|e| Fault::new("save the vote", e).into())
}

/// The store's thread: Raft, the shipping of batches, and nothing else.
fn thread_main(
    core: &Arc<Core>,
    log: Log,
    ready: oneshot::Sender<Result<Started>>,
    stopping: oneshot::Receiver<()>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            // Whoever opens is gone when this fails.
            let _ = ready.send(Err(Error::file("start a runtime for", core.folder.path(), e)));
            return;
        }
    };
    let _ending = Ending(core);
    runtime.block_on(async {
        match start(core, log).await {
            Ok(started) => {
                let raft = started.raft.clone();
                let shipping =
                    tokio::spawn(ship::run(core.clone(), started.leader.clone(), started.number));
                let keeping = tokio::spawn(keep_reserve(core.clone()));
                let copying = tokio::spawn(copies::keep(core.clone()));
                let _ = ready.send(Ok(started));
                // An error means that the last handle was dropped.
                let _ = stopping.await;
                shipping.abort();
                keeping.abort();
                copying.abort();
                let _ = raft.shutdown().await;
            }
            Err(error) => {
                let _ = ready.send(Err(error));
            }
        }
    });
}

/// Keeps space for a full disk as soon as there is some again.
async fn keep_reserve(core: Arc<Core>) {
    loop {
        tokio::time::sleep(LOOK).await;
        core.reserve.keep();
    }
}

/// Whatever ends the thread, nobody waits for it.
struct Ending<'a>(&'a Core);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fault.set(Fault::new("run", "its thread panicked"));
        }
        self.0.abandon();
    }
}

async fn start(core: &Arc<Core>, mut log: Log) -> Result<Started> {
    let mut machine = Machine(core.clone());
    let alone = is_alone(core, &mut log, &mut machine).await?;
    if !alone {
        forget_leadership(&log)?;
    }
    let seen = core.state().meta.seen.get(&core.me).copied().unwrap_or(0);
    let number = log.first_number(seen).map_err(|e| Fault::new("number the batches", e))?;
    let config = config(&core.options)?;
    let transport = core.options.transport.clone();
    let network = Network { transport, cluster: core.identity.cluster };
    let raft = Raft::new(core.me, Arc::new(config), network.clone(), log, machine)
        .await
        .map_err(|_| core.check().err().unwrap_or(Error::Closed))?;
    let leader = Arc::new(Leader::new(core.clone(), raft.clone(), network));
    Ok(Started { raft, leader, alone, number })
}

async fn is_alone(core: &Core, log: &mut Log, machine: &mut Machine) -> Result<bool> {
    let mut helper = StorageHelper::new(log, machine);
    let members = helper.get_membership().await.map_err(|e| Fault::new("read the log", e))?;
    Ok(members.effective().membership().voter_ids().eq([core.me]))
}

/// openraft lets a leader that restarts go on in its old term. That is only safe when its log lost
/// nothing; with other voters around it asks for their votes again.
fn forget_leadership(log: &Log) -> Result<()> {
    match log.vote() {
        Some(mut vote) if vote.committed => {
            vote.committed = false;
            log.set_vote(vote).map_err(|e| Fault::new("save the vote", e).into())
        }
        _ => Ok(()),
    }
}

fn config(options: &Options) -> Result<openraft::Config> {
    let heartbeat = u64::try_from(options.heartbeat.as_millis()).unwrap_or(u64::MAX);
    let config = openraft::Config {
        cluster_name: "microcloud".into(),
        heartbeat_interval: heartbeat,
        election_timeout_min: heartbeat * 3,
        election_timeout_max: heartbeat * 6,
        install_snapshot_timeout: 10_000,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(options.snapshot_every),
        max_in_snapshot_log_to_keep: options.snapshot_every / 4,
        replication_lag_threshold: options.snapshot_every,
        snapshot_max_chunk_size: 1 << 20,
        max_payload_entries: 32,
        ..openraft::Config::default()
    };
    config.validate().map_err(|e| Error::Members { reason: e.to_string() })
}
