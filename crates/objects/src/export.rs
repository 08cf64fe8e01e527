//! A store as it is at one moment, to be read while it goes on.
//!
//! It is read within one transaction of the index, and no blob is removed meanwhile: so every object is whole,
//! and all are of the same moment, however long the reading takes.

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;

use rusqlite::{Connection, params};

use crate::error::Doing;
use crate::get::Guard;
use crate::{Result, Store, index, names};

/// Blobs that are named at once.
const CHUNK: usize = 256;

/// A store as it was when [`Store::freeze`] was called.
#[derive(Debug)]
pub struct Frozen {
    conn: Connection,
    guard: Guard,
}

impl Store {
    /// Keeps what is in the store now for whoever reads it.
    pub fn freeze(self: &Arc<Self>) -> Result<Frozen> {
        // Before the look: from now on nothing is removed.
        let guard = Guard::new(self);
        let conn = index::connect(self.index())?;
        conn.execute_batch("BEGIN").doing("begin to read")?;
        // The moment is that of the first look.
        index::total(&conn)?;
        Ok(Frozen { conn, guard })
    }
}

impl Frozen {
    /// The next records of `names.log` after the object of that number, with the number to go on
    /// with; none at the end. One after the other they are such a log, but for [`Frozen::settings`].
    pub fn names(&self, after: i64) -> Result<Option<(i64, Vec<u8>)>> {
        let ids = names::ids(&self.conn, after)?;
        let Some(last) = ids.last().copied() else { return Ok(None) };
        let record = names::record(&self.conn, &ids, false)?;
        Ok(Some((last, names::bytes(&record))))
    }

    /// The last record, with what is set.
    pub fn settings(&self) -> Result<Vec<u8>> {
        Ok(names::bytes(&names::record(&self.conn, &BTreeSet::new(), true)?))
    }

    /// Blobs of objects, those after that one; none at the end.
    pub fn blobs(&self, after: &str) -> Result<Vec<String>> {
        let work = || -> rusqlite::Result<Vec<String>> {
            let sql = "SELECT blob FROM pieces WHERE blob > ?1 ORDER BY blob LIMIT ?2";
            let mut statement = self.conn.prepare_cached(sql)?;
            statement.query_map(params![after, CHUNK], |row| row.get(0))?.collect()
        };
        work().doing("list contents")
    }

    /// Opens a blob.
    pub fn open(&self, blob: &str) -> Result<File> {
        self.guard.store().blobs().read(blob)
    }
}
