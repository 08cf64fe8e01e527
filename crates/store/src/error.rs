//! What can go wrong, as callers see it.

use std::error::Error as StdError;
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::ErrorCode;

use crate::fault::Fault;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

/// Why the store refused or failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process holds the folder.
    #[error("database {dir} is in use by another process")]
    InUse {
        /// The folder.
        dir: PathBuf,
    },
    /// A file of the store could not be opened, read or made.
    #[error("cannot {operation} {path}")]
    File {
        /// What was tried, as a verb.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// The files contradict one another and cannot be used.
    #[error("database {dir} is damaged: {what}")]
    Damaged {
        /// The folder.
        dir: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// The database was changed by a newer program, so that this one does not know what is in it.
    #[error(
        "database needs a program that knows level {found} of its schema, this one knows levels up to {known}"
    )]
    NewerSchema {
        /// Level that must be known.
        found: u32,
        /// Newest level this program knows.
        known: u32,
    },
    /// A migration failed; the database stays at the level before.
    #[error("migration {level} ({name}) failed")]
    Migration {
        /// Its level.
        level: u32,
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// A constraint of the schema refused the rows.
    #[error("{kind} constraint failed: {detail}")]
    Constraint {
        /// Which kind.
        kind: Constraint,
        /// The columns or the constraint as SQLite names them, e.g. `instances.name`.
        detail: String,
    },
    /// A statement is wrong or does not fit the schema.
    #[error("statement failed: {sql}")]
    Sql {
        /// Its text.
        sql: String,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// A statement may not run here: it would differ between members, or change what only the
    /// store may change.
    #[error("{what} is not allowed here: {sql}")]
    Forbidden {
        /// The function or action.
        what: String,
        /// The statement.
        sql: String,
    },
    /// A column does not hold what the caller asked for.
    #[error("column {column} cannot be read")]
    Column {
        /// Name or position.
        column: String,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// Other writes came first too many times.
    #[error("gave up after {attempts} attempts: other writes came first")]
    Conflict {
        /// How often it was tried.
        attempts: u32,
    },
    /// The closure changed more than one entry of the log may hold.
    #[error("write of {size} bytes is larger than the limit of {limit}")]
    TooLarge {
        /// Bytes of the statements and their values.
        size: usize,
        /// The most a write may have.
        limit: usize,
    },
    /// No leader that a majority follows.
    #[error("no majority of the members can be reached")]
    NoQuorum,
    /// The change was handed to the cluster, but whether it took effect is not known.
    #[error("outcome of the write is not known")]
    Uncertain,
    /// A change of the membership was refused.
    #[error("cannot change the members: {reason}")]
    Members {
        /// Why.
        reason: String,
    },
    /// The disk failed or is full. Final: the store has stopped.
    #[error("storage failed while it had to {operation}")]
    Storage {
        /// What was tried, as a verb.
        operation: &'static str,
        /// Why.
        #[source]
        source: Arc<dyn StdError + Send + Sync>,
    },
    /// The store was closed.
    #[error("store is closed")]
    Closed,
}

/// The kinds of constraint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Constraint {
    /// A row with this key exists (unique index or primary key).
    Unique,
    /// A row that is referred to is missing, or a row is still referred to.
    ForeignKey,
    /// A value is missing.
    NotNull,
    /// A `CHECK` failed.
    Check,
    /// Another kind, e.g. raised by a trigger.
    Other,
}

impl std::fmt::Display for Constraint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Constraint::Unique => "unique",
            Constraint::ForeignKey => "foreign key",
            Constraint::NotNull => "not null",
            Constraint::Check => "check",
            Constraint::Other => "other",
        })
    }
}

impl Error {
    /// Whether a row with this key exists already.
    pub fn is_unique(&self) -> bool {
        matches!(self, Error::Constraint { kind: Constraint::Unique, .. })
    }

    /// Whether the store has stopped for good, so that the process should end.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Error::Storage { .. } | Error::Damaged { .. })
    }

    pub(crate) fn file(
        operation: &'static str,
        path: impl Into<PathBuf>,
        source: impl Into<BoxError>,
    ) -> Error {
        Error::File { operation, path: path.into(), source: source.into() }
    }

    /// Sorts an error of a caller's statement.
    pub(crate) fn statement(sql: &str, error: rusqlite::Error) -> Error {
        match sqlite_code(&error) {
            Some((ErrorCode::ConstraintViolation, extended)) => constraint(extended, &error),
            Some((code, _)) if is_storage(code) => Fault::new("read the state", error).into(),
            _ => Error::Sql { sql: sql.to_owned(), source: error.into() },
        }
    }

    /// Sorts an error of a statement of our own: nothing but the disk can be at fault.
    pub(crate) fn internal(operation: &'static str) -> impl FnOnce(rusqlite::Error) -> Error {
        move |error| Fault::new(operation, error).into()
    }
}

fn sqlite_code(error: &rusqlite::Error) -> Option<(ErrorCode, i32)> {
    error.sqlite_error().map(|e| (e.code, e.extended_code))
}

/// The disk's or the machine's fault, not the statement's.
fn is_storage(code: ErrorCode) -> bool {
    use ErrorCode::{
        CannotOpen, DatabaseCorrupt, DiskFull, NotADatabase, OutOfMemory, ReadOnly, SystemIoFailure,
    };
    matches!(
        code,
        DiskFull
            | SystemIoFailure
            | DatabaseCorrupt
            | NotADatabase
            | CannotOpen
            | OutOfMemory
            | ReadOnly
    )
}

fn constraint(extended: i32, error: &rusqlite::Error) -> Error {
    use rusqlite::ffi;
    let kind = match extended {
        ffi::SQLITE_CONSTRAINT_UNIQUE
        | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
        | ffi::SQLITE_CONSTRAINT_ROWID => Constraint::Unique,
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => Constraint::ForeignKey,
        ffi::SQLITE_CONSTRAINT_NOTNULL => Constraint::NotNull,
        ffi::SQLITE_CONSTRAINT_CHECK => Constraint::Check,
        _ => Constraint::Other,
    };
    let text = match error {
        rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
        other => other.to_string(),
    };
    let detail = text.split_once(" failed: ").map(|(_, d)| d.to_owned()).unwrap_or(text);
    Error::Constraint { kind, detail }
}
