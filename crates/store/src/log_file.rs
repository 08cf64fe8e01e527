//! The file of the log: its tables and what is written to them.

use rusqlite::{Connection, OptionalExtension, params};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::codec::{decode, encode};
use crate::error::BoxError;
use crate::options::Member;
use crate::raft::{Entry, LogId, Vote};

type Result<T> = std::result::Result<T, BoxError>;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS log(position INTEGER PRIMARY KEY, entry BLOB NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS fact(key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
";

/// Which cluster the log belongs to, and whose it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) cluster: Uuid,
    pub(crate) me: Member,
}

/// The log's connection; one writer.
#[derive(Debug)]
pub(crate) struct LogFile(Connection);

impl LogFile {
    pub(crate) fn new(conn: Connection) -> Result<LogFile> {
        conn.execute_batch(TABLES)?;
        Ok(LogFile(conn))
    }

    /// Does several changes as one, on disk when it returns.
    pub(crate) fn commit<R>(&self, f: impl FnOnce(&LogFile) -> Result<R>) -> Result<R> {
        let transaction = self.0.unchecked_transaction()?;
        let value = f(self)?;
        transaction.commit()?;
        Ok(value)
    }

    pub(crate) fn fact<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let bytes: Option<Vec<u8>> = self
            .0
            .prepare_cached("SELECT value FROM fact WHERE key = ?1")?
            .query_row([key], |row| row.get(0))
            .optional()?;
        bytes.map(|bytes| decode(&bytes)).transpose()
    }

    pub(crate) fn set_fact<T: Serialize>(&self, key: &str, value: &T) -> Result<()> {
        self.0
            .prepare_cached("INSERT OR REPLACE INTO fact(key, value) VALUES (?1, ?2)")?
            .execute(params![key, encode(value)?])?;
        Ok(())
    }

    pub(crate) fn identity(&self) -> Result<Option<Identity>> {
        self.fact("identity")
    }

    pub(crate) fn set_identity(&self, identity: &Identity) -> Result<()> {
        self.set_fact("identity", identity)
    }

    pub(crate) fn vote(&self) -> Result<Option<Vote>> {
        self.fact("vote")
    }

    pub(crate) fn set_vote(&self, vote: &Vote) -> Result<()> {
        self.set_fact("vote", vote)
    }

    /// The number that no batch of this member had yet, if that was ever noted.
    pub(crate) fn free_number(&self) -> Result<Option<u64>> {
        self.fact("free number")
    }

    pub(crate) fn set_free_number(&self, number: u64) -> Result<()> {
        self.set_fact("free number", &number)
    }

    /// The last entry that was dropped from the beginning.
    pub(crate) fn purged(&self) -> Result<Option<LogId>> {
        self.fact("purged")
    }

    /// The last entry there is.
    pub(crate) fn last(&self) -> Result<Option<Entry>> {
        self.one("SELECT entry FROM log ORDER BY position DESC LIMIT 1")
    }

    fn one(&self, sql: &str) -> Result<Option<Entry>> {
        let bytes: Option<Vec<u8>> = self.0.query_row(sql, [], |row| row.get(0)).optional()?;
        bytes.map(|bytes| decode(&bytes)).transpose()
    }

    /// Entries from `start` up to, not including, `end`.
    pub(crate) fn entries(&self, start: u64, end: u64) -> Result<Vec<Entry>> {
        let sql = "SELECT entry FROM log WHERE position >= ?1 AND position < ?2 ORDER BY position";
        let mut statement = self.0.prepare_cached(sql)?;
        let mut rows = statement.query(params![signed(start), signed(end)])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(decode(row.get_ref(0)?.as_blob()?)?);
        }
        Ok(found)
    }

    /// Writes an encoded entry.
    pub(crate) fn put(&self, index: u64, entry: &[u8]) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO log(position, entry) VALUES (?1, ?2)";
        self.0.prepare_cached(sql)?.execute(params![signed(index), entry])?;
        Ok(())
    }

    /// Drops the entries from this one on.
    pub(crate) fn truncate(&self, from: u64) -> Result<()> {
        self.0.execute("DELETE FROM log WHERE position >= ?1", [signed(from)])?;
        Ok(())
    }

    /// Drops the entries up to and with this one.
    pub(crate) fn purge(&self, last: &LogId) -> Result<()> {
        self.0.execute("DELETE FROM log WHERE position <= ?1", [signed(last.index)])?;
        self.set_fact("purged", last)
    }
}

fn signed(index: u64) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}
