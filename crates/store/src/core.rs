//! What all handles of a store share, and the turn of one write: run it locally, record it, take
//! it back.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use tokio::sync::{Notify, oneshot, watch};

use crate::changed::Changed;
use crate::error::{Error, Result};
use crate::fault::Switch;
use crate::files::Folder;
use crate::log_file::Identity;
use crate::options::{MemberId, Options};
use crate::read::Tracker;
use crate::readers::Readers;
use crate::request::{Outcome, Transaction};
use crate::reserve::Reserve;
use crate::state::{State, run};
use crate::window::Gathered;
use crate::write::Write;

#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) folder: Folder,
    pub(crate) options: Options,
    pub(crate) me: MemberId,
    pub(crate) identity: Identity,
    pub(crate) readers: Readers,
    pub(crate) reserve: Arc<Reserve>,
    pub(crate) changed: watch::Sender<Changed>,
    pub(crate) fault: Switch,
    pub(crate) closed: AtomicBool,
    /// Level of the schema; here so that it can be told while a closure runs.
    pub(crate) level: AtomicU32,
    /// The level that a program must know to work with the state.
    pub(crate) needs: AtomicU32,
    /// The window opened.
    pub(crate) opened: Notify,
    /// A write was gathered.
    pub(crate) gathered: Notify,
    /// Nobody waits for the window any more.
    pub(crate) filled: Notify,
    /// How many wait for the window.
    pub(crate) waiting: AtomicUsize,
    /// Whether a write of this member may be under way of which nobody knows.
    pub(crate) doubt: AtomicBool,
    state: Mutex<State>,
}

/// A closure that writes, its result put aside; whether it failed.
pub(crate) type Closure<'f> = dyn FnMut(&mut Write<'_>) -> bool + Send + 'f;

/// A closure's run.
pub(crate) enum Turn {
    /// Nothing has to go to the log.
    Done,
    /// The result counts once the entry is applied.
    Gathered(oneshot::Receiver<Result<Outcome>>),
}

impl Core {
    pub(crate) fn open(folder: Folder, options: Options, identity: Identity) -> Result<Core> {
        let reserve = Arc::new(Reserve::new(&folder));
        reserve.keep();
        let state = State::open(&folder, options.schema)?;
        let changed =
            Changed { revision: state.meta.revision, versions: state.meta.versions.clone() };
        Ok(Core {
            readers: Readers::new(folder.state(), identity.me.id),
            reserve,
            folder,
            options,
            me: identity.me.id,
            identity,
            changed: watch::Sender::new(changed),
            fault: Switch::new(),
            closed: AtomicBool::new(false),
            level: AtomicU32::new(state.meta.level),
            needs: AtomicU32::new(state.needs()),
            opened: Notify::new(),
            gathered: Notify::new(),
            filled: Notify::new(),
            doubt: AtomicBool::new(true),
            waiting: AtomicUsize::new(0),
            state: Mutex::new(state),
        })
    }

    /// A closure that panicked left nothing behind: its savepoint was taken back.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses work after a fault or after the end.
    pub(crate) fn check(&self) -> Result<()> {
        self.fault.check()?;
        if self.closed.load(Ordering::Acquire) { Err(Error::Closed) } else { Ok(()) }
    }

    /// Refuses work while the state is one that this program does not know.
    pub(crate) fn check_known(&self) -> Result<()> {
        let (found, known) = (self.needs.load(Ordering::Acquire), self.options.known_level());
        if found > known { Err(Error::NewerSchema { found, known }) } else { Ok(()) }
    }

    /// Ends all writes that wait: nobody ships them any more.
    pub(crate) fn abandon(&self) {
        self.closed.store(true, Ordering::Release);
        let mut state = self.state();
        state.window.gathered.clear();
        state.window.in_flight = None;
        drop(state);
        self.opened.notify_waiters();
    }

    /// Lets go of the files, though handles may still be around.
    pub(crate) fn release(&self) -> Result<()> {
        self.readers.close();
        let nothing = Connection::open_in_memory().map_err(Error::internal("close the state"))?;
        let state = std::mem::replace(&mut self.state().conn, nothing);
        state.close().map_err(|(_, e)| Error::internal("close the state")(e))?;
        self.folder.unlock().map_err(|e| Error::file("unlock", self.folder.path(), e))
    }

    /// Gathers a write of nothing if the window is open.
    pub(crate) fn gather_nothing(&self) -> Result<Option<oneshot::Receiver<Result<Outcome>>>> {
        let mut state = self.state();
        self.check()?;
        if !state.window.open {
            return Ok(None);
        }
        state.begin_simulation()?;
        let outcome = state.gather(Transaction::default());
        drop(state);
        self.gathered.notify_one();
        Ok(Some(outcome))
    }

    /// Runs a closure if the window is open.
    pub(crate) fn turn(&self, f: &mut Closure<'_>) -> Option<Result<Turn>> {
        let mut state = self.state();
        if let Err(e) = self.check().and_then(|()| self.check_known()) {
            return Some(Err(e));
        }
        if !state.window.open {
            return None;
        }
        let turn = state.simulate(f, self.me);
        drop(state);
        if matches!(turn, Ok(Turn::Gathered(..))) {
            self.gathered.notify_one();
        }
        Some(turn)
    }
}

impl State {
    fn simulate(&mut self, f: &mut Closure<'_>, me: MemberId) -> Result<Turn> {
        self.begin_simulation()?;
        let savepoint = Savepoint::begin(&self.conn)?;
        let tracker = Tracker::new(&self.catalog);
        let mut write = Write::new(&self.conn, &tracker, me);
        let failed = f(&mut write);
        let transaction = write.finish(failed);
        if transaction.statements.is_empty() {
            drop(savepoint);
            if self.window.gathered.is_empty() {
                self.stop_simulation().map_err(Error::internal("end a write"))?;
            }
            if !self.window.changes_what_was_read(&transaction) {
                return Ok(Turn::Done);
            }
        } else {
            savepoint.keep()?;
        }
        Ok(Turn::Gathered(self.gather(transaction)))
    }

    fn begin_simulation(&mut self) -> Result<()> {
        if !self.window.simulating {
            run(&self.conn, "BEGIN").map_err(Error::internal("begin a write"))?;
            self.window.simulating = true;
            self.window.base = self.meta.index();
        }
        Ok(())
    }

    fn gather(&mut self, transaction: Transaction) -> oneshot::Receiver<Result<Outcome>> {
        let (done, outcome) = oneshot::channel();
        self.window.push(Gathered { transaction, done });
        outcome
    }
}

/// Takes back what was done since, unless it is kept; also when a closure panics.
struct Savepoint<'c>(&'c Connection);

impl<'c> Savepoint<'c> {
    fn begin(conn: &'c Connection) -> Result<Savepoint<'c>> {
        run(conn, "SAVEPOINT turn").map_err(Error::internal("begin a write"))?;
        Ok(Savepoint(conn))
    }

    fn keep(self) -> Result<()> {
        let conn = self.0;
        std::mem::forget(self);
        run(conn, "RELEASE turn").map_err(Error::internal("end a write"))
    }
}

impl Drop for Savepoint<'_> {
    fn drop(&mut self) {
        let undone = run(self.0, "ROLLBACK TO turn").and_then(|()| run(self.0, "RELEASE turn"));
        if let Err(error) = undone {
            tracing::error!(%error, "cannot take back a write");
        }
    }
}
