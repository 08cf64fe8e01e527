//! What a closure may do in a write, and how it is recorded.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;

use crate::access::Access;
use crate::error::{Error, Result};
use crate::options::MemberId;
use crate::read::{Read, Tracker};
use crate::request::{Statement, Transaction};
use crate::value::Value;

/// Bytes of one write, at most.
const MOST_BYTES: usize = 8 << 20;

/// Changes to the state, seen by the queries of the same closure. Queries: see [`Read`].
pub struct Write<'a> {
    read: Read<'a>,
    tracker: &'a Tracker<'a>,
    writes: BTreeSet<String>,
    statements: Vec<Statement>,
    size: usize,
}

impl<'a> Deref for Write<'a> {
    type Target = Read<'a>;

    fn deref(&self) -> &Read<'a> {
        &self.read
    }
}

impl<'a> Write<'a> {
    pub(crate) fn new(
        conn: &'a rusqlite::Connection,
        tracker: &'a Tracker<'a>,
        me: MemberId,
    ) -> Write<'a> {
        Write {
            read: Read { conn, tracker: Some(tracker), me },
            tracker,
            writes: BTreeSet::new(),
            statements: Vec::new(),
            size: 0,
        }
    }

    /// Runs a statement; returns how many rows it changed.
    pub fn execute(&mut self, sql: &str, params: &[Value]) -> Result<usize> {
        self.run(sql, params).map(|(count, _)| count)
    }

    /// Runs an `INSERT`; returns the new row's `rowid`, which is its integer primary key.
    pub fn insert(&mut self, sql: &str, params: &[Value]) -> Result<i64> {
        let (_, access) = self.run(sql, params)?;
        // The number depends on the rows there are.
        self.tracker.note(&access.writes);
        Ok(self.read.conn.last_insert_rowid())
    }

    fn run(&mut self, sql: &str, params: &[Value]) -> Result<(usize, Arc<Access>)> {
        let (mut statement, access) = self.tracker.catalog.prepare(self.read.conn, sql)?;
        let done = statement.execute(rusqlite::params_from_iter(params));
        self.tracker.note(&access.reads);
        // The number of rows, or that it failed, tells something of the tables it changes.
        if done.is_err() || !access.plain_insert {
            self.tracker.note(&access.writes);
        }
        let count = done.map_err(|e| Error::statement(sql, e))?;
        if !access.readonly {
            self.record(sql, params, &access.writes)?;
        }
        Ok((count, access))
    }

    fn record(&mut self, sql: &str, params: &[Value], tables: &BTreeSet<String>) -> Result<()> {
        let statement = Statement { sql: sql.to_owned(), values: params.to_vec() };
        self.size += statement.size();
        if self.size > MOST_BYTES {
            return Err(Error::TooLarge { size: self.size, limit: MOST_BYTES });
        }
        self.writes.extend(tables.iter().cloned());
        self.statements.push(statement);
        Ok(())
    }

    /// What goes to the log; without statements when the closure failed.
    pub(crate) fn finish(self, failed: bool) -> Transaction {
        let reads = self.tracker.reads.take();
        if failed {
            return Transaction { reads, ..Transaction::default() };
        }
        Transaction { reads, writes: self.writes, statements: self.statements }
    }
}
