//! The handle everybody holds.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use openraft::ServerState;
use tokio::sync::{oneshot, watch};

use crate::changed::Changed;
use crate::core::{Closure, Core, Turn};
use crate::error::{Error, Result};
use crate::leader::Leader;
use crate::members::Change;
use crate::open::{self, Running};
use crate::options::{Member, MemberId, Migration, Options};
use crate::raft::Raft;
use crate::read::Read;
use crate::request::{Outcome, Request};
use crate::status::{Role, Status, acknowledged};
use crate::transport::Stream;
use crate::write::Write;
use crate::{migrate, serve};

/// How often a write is tried before it gives up.
const ATTEMPTS: u32 = 16;

/// The replicated state. Clones are handles of the same store; it ends with [`Store::close`] or
/// when the last handle is dropped.
#[derive(Clone)]
pub struct Store {
    core: Arc<Core>,
    raft: Raft,
    leader: Arc<Leader>,
    thread: Arc<Mutex<Option<Thread>>>,
}

/// The store's thread; told to end when this is dropped.
struct Thread {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("dir", &self.core.folder.path()).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store of a folder. A new folder becomes a cluster of one member. A member that is
    /// alone makes its schema the newest it knows, and is refused if it does not know what is there;
    /// otherwise see [`Store::raise_schema`] and [`Store::check_known`].
    pub async fn open(dir: &Path, options: Options) -> Result<Store> {
        let Running { core, raft, leader, alone, stop, thread } = open::open(dir, options).await?;
        let thread = Arc::new(Mutex::new(Some(Thread { stop, thread })));
        let store = Store { core, raft, leader, thread };
        let started = if alone { store.start_alone().await } else { Ok(()) };
        match started {
            Ok(()) => Ok(store),
            Err(error) => {
                // The folder is free again when this returns; the first error is what counts.
                let _ = store.close().await;
                Err(error)
            }
        }
    }

    async fn start_alone(&self) -> Result<()> {
        let wait = self.raft.wait(Some(self.core.options.patience));
        let applied_all = |m: &openraft::RaftMetrics<_, _>| {
            m.state == ServerState::Leader && m.last_applied.map(|id| id.index) == m.last_log_index
        };
        let ready = wait.metrics(applied_all, "leader with all entries applied");
        ready.await.map_err(|_| self.core.check().err().unwrap_or(Error::NoQuorum))?;
        // Nobody else has anything on its way.
        self.core.doubt.store(false, Ordering::Release);
        self.check_known()?;
        self.raise_schema(self.core.options.known_level()).await
    }

    /// Reads the local state: one consistent view, without waiting for anyone. It has every write
    /// of this handle that returned; writes of other members arrive a moment later.
    pub fn read<R, E: From<Error>>(
        &self,
        f: impl FnOnce(&Read<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        self.check_known()?;
        self.peek(f)
    }

    /// The same for those few rows that each version understands, also where [`Store::check_known`] fails.
    pub fn peek<R, E: From<Error>>(
        &self,
        f: impl FnOnce(&Read<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        if self.core.closed.load(Ordering::Acquire) {
            return Err(Error::Closed.into());
        }
        self.core.readers.read(f)
    }

    /// Reads a state that has every write that returned anywhere before this call.
    pub async fn read_latest<R, E: From<Error>>(
        &self,
        f: impl FnOnce(&Read<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        self.leader.catch_up().await?;
        self.read(f)
    }

    /// Changes the state, all or nothing, on any member. The closure runs on the local state, and
    /// runs again when a table it read was changed by another write before its own took effect, so
    /// that a check and the change that follows it are one. It must be quick and must do nothing
    /// but read and write through its argument. When this returns, the local state has the change.
    ///
    /// An error of the closure changes nothing and is returned as it is. Once handed to the log a
    /// change takes effect even when the future is dropped. After [`Error::Uncertain`],
    /// [`Error::Storage`] and [`Error::Closed`] it may take effect later; after every other error
    /// it never does.
    pub async fn write<R: Send, E: From<Error> + Send>(
        &self,
        mut f: impl FnMut(&mut Write<'_>) -> Result<R, E> + Send,
    ) -> Result<R, E> {
        let mut result = None;
        self.settle(&mut |write| {
            let done = f(write);
            let failed = done.is_err();
            result = Some(done);
            failed
        })
        .await?;
        result.unwrap_or_else(|| Err(Error::Closed.into()))
    }

    /// Returns when no write of this member that nobody knows the outcome of can take effect any more: one that ended
    /// with [`Error::Uncertain`], or whose process ended before it did. A closure that finds nothing to undo is to be
    /// believed only after this, as its answer does not go through the log. Costs an entry of the log after a start
    /// and after such an error, and nothing otherwise.
    ///
    /// # Errors
    /// As [`Store::write`]; then nothing is known.
    pub async fn fence(&self) -> Result<()> {
        if !self.core.doubt.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let fenced = async {
            loop {
                let mut opened = std::pin::pin!(self.core.opened.notified());
                opened.as_mut().enable();
                // A later batch of this member is in the log: earlier ones count no more.
                if let Some(outcome) = self.core.gather_nothing()? {
                    return self.outcome(outcome).await.map(drop);
                }
                opened.await;
            }
        };
        let fenced = fenced.await;
        if fenced.is_err() {
            self.core.doubt.store(true, Ordering::Release);
        }
        fenced
    }

    /// Runs the closure until what it wrote took effect; not generic, so that it is compiled once.
    async fn settle(&self, f: &mut Closure<'_>) -> Result<()> {
        for attempt in 0..ATTEMPTS {
            match self.turn(f).await? {
                Turn::Done => return Ok(()),
                Turn::Gathered(outcome) => match self.outcome(outcome).await? {
                    Outcome::Applied => return Ok(()),
                    Outcome::Conflict => back_off(attempt).await,
                },
            }
        }
        Err(Error::Conflict { attempts: ATTEMPTS })
    }

    /// Waits for the window to be open and runs the closure.
    async fn turn(&self, f: &mut Closure<'_>) -> Result<Turn> {
        let mut waiting = None;
        loop {
            let mut opened = std::pin::pin!(self.core.opened.notified());
            opened.as_mut().enable();
            if let Some(turn) = self.core.turn(f) {
                return turn;
            }
            waiting.get_or_insert_with(|| Waiting::new(&self.core));
            opened.await;
        }
    }

    async fn outcome(&self, outcome: oneshot::Receiver<Result<Outcome>>) -> Result<Outcome> {
        match outcome.await {
            Ok(outcome) => outcome,
            Err(_) => Err(self.core.check().err().unwrap_or(Error::Uncertain)),
        }
    }

    /// Gives others some of the space that is kept here for a full disk, so that what ends a task is
    /// not lost to it either; false when there is none left. Its own writes take it by themselves.
    pub fn make_room(&self) -> bool {
        self.core.reserve.give()
    }

    /// The revision and the tables that changed, for those who act on changes.
    pub fn watch(&self) -> watch::Receiver<Changed> {
        self.core.changed.subscribe()
    }

    /// Resolves when a storage error has stopped the store; the process should then end. Never
    /// resolves otherwise.
    pub async fn failed(&self) -> Error {
        let mut fault = self.core.fault.subscribe();
        let mut metrics = self.raft.metrics();
        loop {
            if let Some(fault) = fault.borrow_and_update().clone() {
                return fault.into();
            }
            tokio::select! {
                _ = fault.changed() => {}
                _ = metrics.wait_for(|m| m.running_state.is_err()) => break,
            }
        }
        match self.core.check() {
            Err(Error::Closed) => std::future::pending().await,
            Err(error) => error,
            Ok(()) => Error::Closed,
        }
    }

    /// How the store is now.
    pub fn status(&self) -> Status {
        let metrics = self.raft.metrics().borrow().clone();
        let members = metrics.membership_config.membership();
        // While votes change both the old and the new majority are needed: who is only in one cannot be counted on.
        let votes = |id: &MemberId| members.get_joint_config().iter().all(|one| one.contains(id));
        Status {
            cluster: self.core.identity.cluster,
            me: self.core.me,
            role: role(metrics.state),
            leader: metrics.current_leader,
            acknowledged: acknowledged(&metrics),
            term: metrics.current_term,
            last_index: metrics.last_log_index.unwrap_or(0),
            applied_index: metrics.last_applied.map_or(0, |id| id.index),
            schema_level: self.level(),
            members: members.nodes().map(|(id, member)| (member.clone(), votes(id))).collect(),
            fault: self.core.fault.check().err().map(|e| e.to_string()),
        }
    }

    /// Fails while the schema is one that this program does not know, because of a step that breaks: then nothing is
    /// read or written here ([`Error::NewerSchema`]), but what others write is kept, and this member votes.
    ///
    /// # Errors
    /// That.
    pub fn check_known(&self) -> Result<()> {
        self.core.check_known()
    }

    /// The steps that this program knows.
    pub fn schema(&self) -> &'static [Migration] {
        self.core.options.schema
    }

    /// Level of the schema.
    pub fn level(&self) -> u32 {
        self.core.level.load(Ordering::Acquire)
    }

    /// The level that a program must know to work with what is there.
    pub fn needs(&self) -> u32 {
        self.core.needs.load(Ordering::Acquire)
    }

    /// The newest level that this program knows.
    pub fn known_level(&self) -> u32 {
        self.core.options.known_level()
    }

    /// The level without which this program does not work.
    pub fn works_from(&self) -> u32 {
        self.core.options.works_from()
    }

    /// Brings the schema to this level. Does nothing when the schema is there already. Members that do not know a step
    /// make it all the same, as its text goes with it; whether they work after it is the caller's business: one that
    /// breaks stops all others that do not know it.
    pub async fn raise_schema(&self, level: u32) -> Result<()> {
        self.core.check()?;
        let from = self.core.state().meta.level;
        let steps = migrate::steps(self.core.options.schema, from, level);
        if steps.is_empty() {
            return Ok(());
        }
        self.core.rehearse(&steps)?;
        let reply = self.leader.propose(Request::Migrate(steps)).await?;
        match reply.failed {
            None => self.leader.catch_up().await,
            Some((level, why)) => {
                Err(Error::Migration { level, name: "at apply".into(), source: why.into() })
            }
        }
    }

    /// Adds a member that follows without a vote; returns when it has nearly all there is. It was
    /// opened with [`Options::join`] and its id was never used before.
    pub async fn add(&self, member: Member) -> Result<()> {
        self.leader.change(Change::Add(member)).await
    }

    /// Gives a member a vote.
    pub async fn promote(&self, member: MemberId) -> Result<()> {
        self.leader.change(Change::Promote(member)).await
    }

    /// Takes a member's vote; it goes on following.
    pub async fn demote(&self, member: MemberId) -> Result<()> {
        self.leader.change(Change::Demote(member)).await
    }

    /// Gives votes to these members and to no others, all at once; who loses its vote goes on following.
    pub async fn vote(&self, members: BTreeSet<MemberId>) -> Result<()> {
        self.leader.change(Change::Vote(members)).await
    }

    /// Removes a member. It is not told by this: whoever removes it has to stop it.
    pub async fn remove(&self, member: MemberId) -> Result<()> {
        self.leader.change(Change::Remove(member)).await
    }

    /// Asks the others for their votes, so that this member leads; what the daemon of a leader
    /// that is about to stop has another member do.
    pub async fn lead(&self) -> Result<()> {
        let asked = self.raft.trigger().elect().await;
        asked.map_err(|_| self.core.check().err().unwrap_or(Error::Closed))
    }

    /// Seeks no more votes: nobody of the others knows this member any more.
    pub fn rest(&self) {
        self.raft.runtime_config().elect(false);
    }

    /// Answers another member's connection until it ends.
    pub async fn serve(&self, mut stream: impl Stream) -> std::io::Result<()> {
        serve::serve(&self.core, &self.raft, &mut stream).await
    }

    /// Writes a copy of the state to a new file, from which [`restore`](crate::restore) makes a
    /// store. Other reads and writes go on.
    pub async fn backup(&self, path: &Path) -> Result<()> {
        self.core.check()?;
        let (core, path) = (self.core.clone(), path.to_owned());
        let copy = tokio::task::spawn_blocking(move || {
            let new = path.with_extension("partial");
            core.write_copy(&new, &path).map_err(|e| Error::file("write", &path, e))
        });
        copy.await.map_err(|_| Error::Closed)?
    }

    /// Keeps a copy of the state beside it now, as it does each hour by itself; nothing where nothing has changed since
    /// the last.
    pub async fn keep_copy(&self) -> Result<Option<PathBuf>> {
        let core = self.core.clone();
        tokio::task::spawn_blocking(move || core.keep_copy()).await.map_err(|_| Error::Closed)?
    }

    /// Stops the store; what was acknowledged is on disk. Other handles get [`Error::Closed`].
    pub async fn close(&self) -> Result<()> {
        self.core.closed.store(true, Ordering::Release);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Thread { stop, thread }) = thread else { return Ok(()) };
        drop(stop);
        let core = self.core.clone();
        let ended = tokio::task::spawn_blocking(move || {
            thread.join().map_err(|_| Error::Closed).and(core.release())
        });
        ended.await.map_err(|_| Error::Closed)?.and(self.core.fault.check())
    }
}

/// Counts as one that waits for the window.
struct Waiting<'a>(&'a Core);

impl<'a> Waiting<'a> {
    fn new(core: &'a Core) -> Waiting<'a> {
        core.waiting.fetch_add(1, Ordering::AcqRel);
        Waiting(core)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let waiting: &AtomicUsize = &self.0.waiting;
        if waiting.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.filled.notify_one();
        }
    }
}

async fn back_off(attempt: u32) {
    if attempt > 0 {
        tokio::time::sleep(Duration::from_millis(1 << attempt.min(6))).await;
    }
}

fn role(state: ServerState) -> Role {
    match state {
        ServerState::Leader => Role::Leader,
        ServerState::Follower => Role::Follower,
        ServerState::Candidate => Role::Candidate,
        ServerState::Learner => Role::Learner,
        ServerState::Shutdown => Role::Stopped,
    }
}
