//! Changes that share one sync.
//!
//! Whoever changes something does it within the transaction that is open, if one is, and leaves the commit to
//! the next who waits for the index already; the last one commits for all. So none waits for anybody who is
//! not there yet, and each returns when what it did is on disk: while a commit goes on the next batch gathers.
//!
//! A change that fails is rolled back alone. One commit that fails is a failure of all who took part.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use rusqlite::{Connection, ffi};

use crate::error::Doing;
use crate::{Error, Result};

/// Changes that share a commit at most.
pub(crate) const MOST: usize = 128;

/// Changes that are committed together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Those who took part so far.
    pub(crate) members: usize,
    /// The objects that changed.
    pub(crate) ids: BTreeSet<i64>,
    pub(crate) with_settings: bool,
    pub(crate) outcome: Arc<Outcome>,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(crate) struct Outcome(OnceLock<Option<Failure>>);

/// An error of the index that several are told.
#[derive(Debug, Clone)]
struct Failure {
    code: ffi::Error,
    text: Option<String>,
}

impl Outcome {
    pub(crate) fn set(&self, done: &rusqlite::Result<()>) {
        let failure = done.as_ref().err().map(|error| match error {
            rusqlite::Error::SqliteFailure(code, text) => {
                Failure { code: *code, text: text.clone() }
            }
            other => {
                Failure { code: ffi::Error::new(ffi::SQLITE_ERROR), text: Some(other.to_string()) }
            }
        });
        // It is set once: whoever commits takes the batch away.
        let _ = self.0.set(failure);
    }

    /// Whether it is on disk; `None` while that is not known.
    pub(crate) fn get(&self) -> Option<Result<()>> {
        self.0.get().map(|failure| match failure {
            None => Ok(()),
            Some(Failure { code, text }) => {
                let source = rusqlite::Error::SqliteFailure(*code, text.clone());
                Err(Error::Index { doing: "commit a change", source })
            }
        })
    }
}

/// Begins a transaction where none is open.
pub(crate) fn begin(conn: &Connection) -> Result<()> {
    match conn.is_autocommit() {
        true => conn.execute_batch("BEGIN IMMEDIATE").doing("begin a change"),
        false => Ok(()),
    }
}
