//! The runner: takes tasks, runs their steps, undoes them, and settles what a crash left behind.
//!
//! ```text
//! submit -> names claimed -> intent durable -> steps, notes journaled after each -> end durable -> Success
//!                                   | step fails, is cancelled, or the process crashed
//!                                   v
//!                          undos, newest step first -> end durable -> Failure | Cancelled
//!                                   | an undo fails
//!                                   v
//!                          stuck: kept in the journal, names held, tried again by `Stuck`
//! ```
//!
//! Past a point of no return a task only goes forward: a failing step makes it stuck, and the retry
//! goes on from that step.

mod drive;
mod kind;
mod recover;
mod work;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use uuid::Uuid;

pub use recover::{Recovered, Recovery, STUCK, Stuck};

use crate::error::Shared;
use crate::journal::{Journal, Room, Row, Stage, Write};
use crate::locks::Guard;
use crate::operation::{Operation, Request};
use crate::operations::{Operations, Wanted};
use crate::{Error, Failure, Faults, Task};
use drive::{Drive, Ended, Plan};
use kind::{Kind, Of};
use work::work;

/// Runs tasks over a world. Cheap to clone.
pub struct Runner<W>(Arc<Inner<W>>);

struct Inner<W> {
    world: Arc<W>,
    operations: Operations,
    journal: Journal,
    kinds: HashMap<&'static str, Box<dyn Kind<W>>>,
    fence: Fence,
    faults: Faults,
    boot: String,
    session: String,
    closed: AtomicBool,
    running: Mutex<HashMap<Uuid, AbortHandle>>,
    count: watch::Sender<usize>,
    /// Whether what an earlier session left was looked at; held while leftovers are set in motion.
    recovered: tokio::sync::Mutex<bool>,
    /// Names of tasks that are stuck or cannot be read.
    held: Mutex<HashMap<Uuid, Guard>>,
    /// How many tasks got stuck that had not been before.
    got_stuck: watch::Sender<u64>,
}

/// Collects the kinds of tasks before the runner opens its journal.
pub struct Builder<W> {
    world: Arc<W>,
    operations: Operations,
    kinds: HashMap<&'static str, Box<dyn Kind<W>>>,
    faults: Faults,
    boot: Option<String>,
    room: Room,
    fence: Fence,
}

/// See [`Builder::fence`].
type Fence = Box<dyn Fn() -> BoxFuture<'static, Result<(), Shared>> + Send + Sync>;

impl<W: Send + Sync + 'static> Builder<W> {
    /// Makes a kind known. All kinds must be, or what a crash left of them cannot be settled.
    ///
    /// # Panics
    /// When two kinds have one name, which is a defect of the program.
    #[must_use]
    pub fn register<T: Task<World = W>>(mut self) -> Self {
        let other = self.kinds.insert(T::KIND, Box::new(Of::<T>::new()));
        assert!(other.is_none(), "two kinds of task are named {:?}", T::KIND);
        self
    }

    /// How room is made for the journal on a full disk; it says false when it cannot make more.
    #[must_use]
    pub fn room(mut self, room: impl Fn() -> bool + Send + 'static) -> Self {
        self.room = Box::new(room);
        self
    }

    /// How it is made sure that no write of this process that nobody knows the outcome of takes effect any more.
    #[must_use]
    pub fn fence<F, E>(mut self, fence: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: std::error::Error + Send + Sync + 'static,
    {
        self.fence = Box::new(move || {
            let fenced = fence();
            Box::pin(async move { fenced.await.map_err(|error| Arc::new(error) as Shared) })
        });
        self
    }

    /// Makes things go wrong on purpose.
    #[must_use]
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// Pretends that the machine booted again.
    #[must_use]
    pub(crate) fn boot(mut self, boot: &str) -> Self {
        self.boot = Some(boot.to_owned());
        self
    }

    /// Opens or makes the journal.
    pub fn open(self, journal: &Path) -> Result<Runner<W>, Error> {
        let inner = Inner {
            journal: Journal::open(journal, &self.faults, self.room)?,
            world: self.world,
            operations: self.operations,
            kinds: self.kinds,
            fence: self.fence,
            faults: self.faults,
            boot: self.boot.unwrap_or_else(boot_id),
            session: Uuid::new_v4().to_string(),
            closed: AtomicBool::new(false),
            recovered: tokio::sync::Mutex::new(false),
            running: Mutex::default(),
            count: watch::Sender::new(0),
            held: Mutex::default(),
            got_stuck: watch::Sender::new(0),
        };
        Ok(Runner(Arc::new(inner)))
    }
}

impl<W: Send + Sync + 'static> Runner<W> {
    /// Starts to build a runner. Its faults are those of the environment, normally none.
    pub fn builder(world: Arc<W>, operations: Operations) -> Builder<W> {
        let faults = Faults::from_env();
        Builder {
            world,
            operations,
            kinds: HashMap::new(),
            faults,
            boot: None,
            room: Box::new(|| false),
            fence: Box::new(|| Box::pin(async { Ok(()) })),
        }
    }

    /// The world its tasks act on.
    pub fn world(&self) -> &Arc<W> {
        &self.0.world
    }

    /// Where its operations are.
    pub fn operations(&self) -> &Operations {
        &self.0.operations
    }

    /// Starts a task. It fails at once if a claimed name is held and the request does not wait.
    ///
    /// Must be called inside tokio.
    pub fn submit<T: Task<World = W>>(
        &self,
        input: T,
        request: Request,
    ) -> Result<Operation, Error> {
        if self.0.closed.load(Ordering::Acquire) {
            return Err(Error::ShuttingDown);
        }
        if !self.0.kinds.contains_key(T::KIND) {
            return Err(Error::NotRegistered(T::KIND.to_owned()));
        }
        let row = self.0.row(&input, &request)?;
        let (operation, wanted) = self.0.operations.open(row.id, request)?;
        let work = work(self.0.world.clone(), input, T::Notes::default(), operation.clone());
        self.0.start(row, Drive::new(self.0.clone(), work, operation.clone()), wanted);
        Ok(operation)
    }

    /// Starts a task and waits for its end.
    pub async fn run<T: Task<World = W>>(&self, input: T, request: Request) -> Result<(), Failure> {
        self.submit(input, request).map_err(Failure::new)?.result().await
    }

    /// Takes no new task and waits for those under way, at most this long. Says how many are left;
    /// the next start settles them like after a crash.
    pub async fn shutdown(&self, patience: Duration) -> usize {
        self.0.closed.store(true, Ordering::Release);
        self.idle(patience).await
    }

    /// Waits for the tasks under way, at most this long. Says how many are left.
    pub async fn idle(&self, patience: Duration) -> usize {
        let mut count = self.0.count.subscribe();
        let idle = count.wait_for(|count| *count == 0);
        drop(tokio::time::timeout(patience, idle).await);
        *self.0.count.borrow()
    }

    /// Stops all tasks where they stand, as a crash does.
    pub(crate) fn abandon(&self) {
        self.0.closed.store(true, Ordering::Release);
        for handle in self.0.running().values() {
            handle.abort();
        }
    }
}

impl<W> Clone for Runner<W> {
    fn clone(&self) -> Self {
        Runner(self.0.clone())
    }
}

impl<W: Send + Sync + 'static> Inner<W> {
    fn row<T: Task>(&self, input: &T, request: &Request) -> Result<Row, Error> {
        let encode = |what| move |source| Error::Encode { what, kind: T::KIND.to_owned(), source };
        Ok(Row {
            id: self.operations.new_id(),
            kind: T::KIND.to_owned(),
            input: serde_json::to_string(input).map_err(encode("input"))?,
            notes: None,
            request: serde_json::to_string(request).map_err(encode("request"))?,
            stage: Stage::Running,
            done: 0,
            boot: self.boot.clone(),
            session: self.session.clone(),
        })
    }

    fn start(self: &Arc<Self>, row: Row, drive: Drive<W>, wanted: Wanted) {
        let inner = self.clone();
        self.track(row.id, async move { inner.run(row, drive, wanted).await });
    }

    /// The whole life of a task that was just submitted.
    async fn run(&self, row: Row, drive: Drive<W>, wanted: Wanted) {
        let operation = drive.operation().clone();
        let guard = match wanted.wait(&operation).await {
            Ok(guard) => guard,
            Err(failure) => return self.operations.close(&operation, Err(failure)),
        };
        operation.start();
        if let Err(error) = self.journal.write(Write::Begin(row)).await {
            drop(guard);
            return self.operations.close(&operation, Err(Failure::new(error)));
        }
        let ended = drive.settle(Plan::Forward { from: 0, committed: false }).await;
        let stuck = matches!(ended, Ended::Stuck(_));
        self.end(&operation, guard, ended);
        if stuck {
            self.got_stuck.send_modify(|count| *count += 1);
        }
    }

    /// Lets go of the names unless the task is stuck, then tells the world.
    fn end(&self, operation: &Operation, guard: Guard, ended: Ended) {
        let result = match ended {
            Ended::Clean(result) => {
                drop(guard);
                result
            }
            Ended::Stuck(failure) => {
                tracing::warn!(task = %operation.id(), %failure, "task is stuck");
                self.operations.locks().explain(&guard, &failure.to_string());
                self.held().insert(operation.id(), guard);
                Err(failure)
            }
        };
        self.operations.close(operation, result);
    }

    /// Runs a task's future and counts it as long as it lives.
    fn track(self: &Arc<Self>, id: Uuid, future: impl Future<Output = ()> + Send + 'static) {
        // Held over the spawn, so that the entry is there before the task can take it away.
        let mut running = self.running();
        let tracked = Tracked { inner: self.clone(), id };
        let task = tokio::spawn(async move {
            future.await;
            drop(tracked);
        });
        running.insert(id, task.abort_handle());
        self.count.send_replace(running.len());
    }

    fn running(&self) -> MutexGuard<'_, HashMap<Uuid, AbortHandle>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Uuid, Guard>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the task off the list when its future ends or is dropped.
struct Tracked<W: Send + Sync + 'static> {
    inner: Arc<Inner<W>>,
    id: Uuid,
}

impl<W: Send + Sync + 'static> Drop for Tracked<W> {
    fn drop(&mut self) {
        let mut running = self.inner.running();
        running.remove(&self.id);
        self.inner.count.send_replace(running.len());
    }
}

/// Changes with each start of the machine; without it every restart counts as a power cut.
fn boot_id() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.map_or_else(|_| Uuid::new_v4().to_string(), |id| id.trim().to_owned())
}
