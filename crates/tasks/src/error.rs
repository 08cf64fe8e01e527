//! What can go wrong in this crate, and how a failed operation keeps its cause.

use std::error::Error as StdError;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use uuid::Uuid;

use crate::locks::Busy;

/// An error of the runner, the journal or the registry of operations.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal's file cannot be used.
    #[error("open task journal {path}")]
    OpenJournal {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The journal's thread could not be started.
    #[error("start the thread of the task journal")]
    StartJournal(#[source] std::io::Error),
    /// A write or read of the journal failed.
    #[error("{action} in the task journal")]
    Journal {
        /// What was tried.
        action: &'static str,
        /// Why.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// The journal's thread is gone.
    #[error("task journal is closed")]
    JournalClosed,
    /// A task's input or notes do not turn into JSON.
    #[error("encode {what} of task {kind}")]
    Encode {
        /// Input, notes or request.
        what: &'static str,
        /// The task's kind.
        kind: String,
        /// Why.
        source: serde_json::Error,
    },
    /// A journaled input or note is not what this version expects.
    #[error("decode {what} of task {kind} {id}")]
    Decode {
        /// Input, notes or request.
        what: &'static str,
        /// The task's kind.
        kind: String,
        /// The task.
        id: Uuid,
        /// Why.
        source: serde_json::Error,
    },
    /// A task of a kind that nobody registered.
    #[error("task kind {0:?} is not registered")]
    NotRegistered(String),
    /// Somebody else works on the same thing.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The daemon is going down and takes no new task.
    #[error("shutting down")]
    ShuttingDown,
    /// No such operation.
    #[error("operation {0} not found")]
    NoOperation(Uuid),
    /// The operation cannot be cancelled, or not any more.
    #[error("operation {0} can't be cancelled")]
    NotCancellable(Uuid),
    /// The operation has ended.
    #[error("operation {0} isn't running")]
    NotRunning(Uuid),
    /// The task is not stuck, so there is nothing to forget.
    #[error("task {0} isn't stuck")]
    NotStuck(Uuid),
    /// A secret that opens no websocket of the operation.
    #[error("operation {0} has no websocket for this secret")]
    BadSecret(Uuid),
    /// The work panicked; a defect of the program.
    #[error("the program failed: {message}")]
    Panicked {
        /// The panic's message.
        message: String,
    },
    /// The daemon ended while the task was under way.
    #[error("task {kind} {id} was interrupted")]
    Interrupted {
        /// The task's kind.
        kind: String,
        /// The task.
        id: Uuid,
    },
    /// A failure that `Faults` asked for.
    #[error("injected failure at step {0}")]
    Injected(usize),
}

/// Any error, shared between the operation and those who wait for it.
pub type Shared = Arc<dyn StdError + Send + Sync>;

/// Why an operation failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The cause. A door downcasts it to find the answer's status.
    pub error: Shared,
    /// Undos that failed as well, each with its step's name.
    pub undo: Vec<(&'static str, Shared)>,
}

impl Failure {
    /// A failure with nothing but its cause.
    pub fn new(error: impl StdError + Send + Sync + 'static) -> Failure {
        Failure { error: Arc::new(error), undo: Vec::new() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&chain(self.error.as_ref()))?;
        for (step, error) in &self.undo {
            write!(f, "; undo of {step:?} failed: {}", chain(error.as_ref()))?;
        }
        Ok(())
    }
}

/// An error and its causes on one line, outermost first.
pub fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
