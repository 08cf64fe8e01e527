//! The journal: which tasks are under way, on this machine, across a crash.
//!
//! A row is a task. One thread owns the SQLite file and writes; callers await its answer. Waiting
//! writes share one commit. What is synced to the disk, and what only survives a crash of the process:
//!
//! | write | durable | why |
//! |---|---|---|
//! | begin (input, claims) | yes | the intent must be known before the first effect |
//! | step done (notes) | no | recovery assumes the next step ran half, and after a power cut all of them |
//! | point of no return | yes | after it nothing may be undone |
//! | undoing, undone, stuck | no | undos may run again |
//! | end | yes | what was reported as done must not be undone after a power cut |
//!
//! A commit syncs everything before it, so a task that began later never survives one that ended
//! earlier. The file may be shared with other tables of this machine (`local.db`).

mod thread;

use std::path::Path;
use std::sync::{Arc, mpsc};

use tokio::sync::oneshot;
use uuid::Uuid;

use crate::{Error, Faults};

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Going forward; may be undone.
    Running,
    /// Past the point of no return; only goes forward.
    Committed,
    /// Going backward.
    Undoing,
}

/// A task as the journal has it.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    pub(crate) input: String,
    pub(crate) notes: Option<String>,
    pub(crate) request: String,
    pub(crate) stage: Stage,
    /// Steps that are done; when undoing, steps that are not undone yet.
    pub(crate) done: usize,
    /// The boot of the machine in which the row was last written durably.
    pub(crate) boot: String,
    /// The runner that began the task.
    pub(crate) session: String,
}

/// One change of the journal.
#[derive(Debug)]
pub(crate) enum Write {
    Begin(Row),
    Step { id: Uuid, stage: Stage, done: usize, notes: String },
    NoReturn { id: Uuid, done: usize, notes: String, boot: String },
    Undone { id: Uuid, done: usize },
    Stuck { id: Uuid, error: String },
    End { id: Uuid },
}

impl Write {
    fn durable(&self) -> bool {
        matches!(self, Write::Begin(_) | Write::NoReturn { .. } | Write::End { .. })
    }

    fn action(&self) -> &'static str {
        match self {
            Write::Begin(_) => "begin a task",
            Write::Step { .. } => "note a step",
            Write::NoReturn { .. } => "note the point of no return",
            Write::Undone { .. } => "note an undo",
            Write::Stuck { .. } => "note a failed undo",
            Write::End { .. } => "end a task",
        }
    }
}

/// How the file of a journal, which nobody has open, shows that a disk has damaged it; `None` if it does not, or is not
/// there.
pub fn journal_damage(path: &Path) -> Option<String> {
    thread::damage(path)
}

/// Makes some room on a full disk; false where that cannot be done.
pub(crate) type Room = Box<dyn Fn() -> bool + Send>;

type Reply<T> = oneshot::Sender<Result<T, Error>>;

enum Command {
    Write(Write, Reply<()>),
    Load(Reply<Vec<Row>>),
}

/// A handle to the journal's thread. The thread ends when the last handle is gone.
#[derive(Clone)]
pub(crate) struct Journal(mpsc::Sender<Command>);

impl Journal {
    pub(crate) fn open(path: &Path, faults: &Faults, room: Room) -> Result<Journal, Error> {
        let open = |source| Error::OpenJournal { path: path.to_owned(), source };
        let connection = thread::connect(path).map_err(open)?;
        let (sender, receiver) = mpsc::channel();
        let faults = faults.clone();
        std::thread::Builder::new()
            .name("task journal".to_owned())
            .spawn(move || thread::Writer::new(connection, faults, room).run(&receiver))
            .map_err(Error::StartJournal)?;
        Ok(Journal(sender))
    }

    /// Returns once the write survives what its kind must survive.
    pub(crate) async fn write(&self, write: Write) -> Result<(), Error> {
        self.ask(|reply| Command::Write(write, reply)).await
    }

    /// All tasks under way, oldest first.
    pub(crate) async fn load(&self) -> Result<Vec<Row>, Error> {
        self.ask(Command::Load).await
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.0.send(command(reply)).map_err(|_| Error::JournalClosed)?;
        answer.await.map_err(|_| Error::JournalClosed)?
    }
}

fn failed(action: &'static str, source: &Arc<rusqlite::Error>) -> Error {
    Error::Journal { action, source: source.clone() }
}
