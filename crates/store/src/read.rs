//! Queries on one consistent view of the state.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use rusqlite::{CachedStatement, Connection};

use crate::access::{Access, Catalog};
use crate::error::{Error, Result};
use crate::fault::Fault;
use crate::meta;
use crate::options::MemberId;
use crate::row::Row;
use crate::value::Value;

/// A consistent view of the state. Also what a [`Write`](crate::Write) reads through, so that a
/// query written for `&Read` serves both.
pub struct Read<'a> {
    pub(crate) conn: &'a Connection,
    /// Present in a write: what is read must be known.
    pub(crate) tracker: Option<&'a Tracker<'a>>,
    pub(crate) me: MemberId,
}

/// Notes the tables a write reads.
pub(crate) struct Tracker<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) reads: RefCell<BTreeSet<String>>,
}

impl<'a> Tracker<'a> {
    pub(crate) fn new(catalog: &'a Catalog) -> Tracker<'a> {
        Tracker { catalog, reads: RefCell::default() }
    }

    pub(crate) fn note<'t>(&self, tables: impl IntoIterator<Item = &'t String>) {
        let mut reads = self.reads.borrow_mut();
        for table in tables {
            if !reads.contains(table) {
                reads.insert(table.clone());
            }
        }
    }
}

impl<'a> Read<'a> {
    /// The member this runs on, for what rows hold of each member. What is written must not depend
    /// on it but by the values that are bound.
    pub fn me(&self) -> MemberId {
        self.me
    }

    /// The state's revision, as [`Changed::revision`](crate::Changed::revision) tells it; what a write itself changed is
    /// not in it.
    pub fn revision(&self) -> Result<u64> {
        let found = meta::get(self.conn, "revision");
        Ok(found.map_err(|error| Fault::new("read the revision", error))?.unwrap_or_default())
    }

    /// All rows, each mapped by the closure.
    pub fn query<T>(
        &self,
        sql: &str,
        params: &[Value],
        mut map: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut found = Vec::new();
        self.each(sql, params, |row| {
            found.push(map(row)?);
            Ok(true)
        })?;
        Ok(found)
    }

    /// The first row, when there is one.
    pub fn query_one<T>(
        &self,
        sql: &str,
        params: &[Value],
        map: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let (mut map, mut found) = (Some(map), None);
        self.each(sql, params, |row| {
            if let Some(map) = map.take() {
                found = Some(map(row)?);
            }
            Ok(false)
        })?;
        Ok(found)
    }

    /// Whether the query has a row.
    pub fn exists(&self, sql: &str, params: &[Value]) -> Result<bool> {
        Ok(self.query_one(sql, params, |_| Ok(()))?.is_some())
    }

    /// Gives the rows one by one until the closure says `false`.
    fn each(
        &self,
        sql: &str,
        params: &[Value],
        mut take: impl FnMut(&Row<'_>) -> Result<bool>,
    ) -> Result<()> {
        let mut statement = self.prepare(sql)?;
        let failed = |e| Error::statement(sql, e);
        let mut rows = statement.query(rusqlite::params_from_iter(params)).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            if !take(&Row(row))? {
                break;
            }
        }
        Ok(())
    }

    fn prepare(&self, sql: &str) -> Result<CachedStatement<'a>> {
        let (statement, access) = match self.tracker {
            Some(tracker) => {
                let (statement, access) = tracker.catalog.prepare(self.conn, sql)?;
                tracker.note(&access.reads);
                (statement, Some(access))
            }
            None => {
                let compiled = self.conn.prepare_cached(sql);
                (compiled.map_err(|e| Error::statement(sql, e))?, None)
            }
        };
        let readonly = access.map_or_else(|| statement.readonly(), |a: Arc<Access>| a.readonly);
        if !readonly {
            let what = "a change in a query".to_owned();
            return Err(Error::Forbidden { what, sql: sql.to_owned() });
        }
        Ok(statement)
    }
}
