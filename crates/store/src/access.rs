//! Which tables a statement reads and writes, and whether it may run at all. SQLite's authorizer
//! tells while a statement is compiled, so the answer is kept beside the compiled statement.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::{CachedStatement, Connection};

use crate::error::{Error, Result};

/// Tables of the store itself begin with this.
pub(crate) const OWN: &str = "_store";

/// Compiled statements kept; also the size of SQLite's cache of them.
const KEPT: usize = 128;

/// Their result differs between members or between two runs.
const UNSTABLE: &[&str] = &[
    "random",
    "randomblob",
    "date",
    "time",
    "datetime",
    "julianday",
    "unixepoch",
    "strftime",
    "timediff",
    "current_date",
    "current_time",
    "current_timestamp",
    "last_insert_rowid",
    "changes",
    "total_changes",
    "sqlite_version",
    "sqlite_source_id",
    "sqlite_compileoption_get",
    "sqlite_compileoption_used",
    "sqlite_offset",
];

/// What a statement touches.
#[derive(Debug, Default)]
pub(crate) struct Access {
    pub(crate) reads: BTreeSet<String>,
    pub(crate) writes: BTreeSet<String>,
    /// It changes nothing.
    pub(crate) readonly: bool,
    /// It adds its rows or fails, so the number of rows tells nothing about others.
    pub(crate) plain_insert: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Mode {
    /// Statements of the store.
    #[default]
    Own,
    /// Statements of a caller's closure.
    Closure,
    /// A step of the schema.
    Migration,
}

#[derive(Debug, Default)]
struct Record {
    mode: Mode,
    access: Access,
    /// Would differ between members if it were replicated.
    unstable: Option<String>,
    /// Refused in any case.
    refused: Option<String>,
}

/// The statements of one connection.
#[derive(Debug)]
pub(crate) struct Catalog {
    record: Arc<Mutex<Record>>,
    known: RefCell<HashMap<String, Arc<Access>>>,
}

impl Catalog {
    /// Starts to watch the connection's statements.
    pub(crate) fn attach(conn: &mut Connection) -> rusqlite::Result<Catalog> {
        conn.set_prepared_statement_cache_capacity(KEPT);
        let record = Arc::new(Mutex::new(Record::default()));
        let seen = record.clone();
        conn.authorizer(Some(move |context: AuthContext<'_>| lock(&seen).judge(&context)))?;
        Ok(Catalog { record, known: RefCell::default() })
    }

    /// Compiles a statement of a caller, or takes it from the cache.
    pub(crate) fn prepare<'c>(
        &self,
        conn: &'c Connection,
        sql: &str,
    ) -> Result<(CachedStatement<'c>, Arc<Access>)> {
        let known = self.known.borrow().get(sql).cloned();
        let access = match known {
            Some(access) => access,
            None => self.learn(conn, sql)?,
        };
        let statement = conn.prepare_cached(sql).map_err(|e| Error::statement(sql, e))?;
        Ok((statement, access))
    }

    fn learn(&self, conn: &Connection, sql: &str) -> Result<Arc<Access>> {
        if forces_rollback(sql) {
            let what = "or rollback".to_owned();
            return Err(Error::Forbidden { what, sql: sql.to_owned() });
        }
        lock(&self.record).begin(Mode::Closure);
        let compiled = conn.prepare(sql).map(|statement| statement.readonly());
        let record = lock(&self.record).end();
        let access = Arc::new(record.finish(sql, compiled)?);
        let mut known = self.known.borrow_mut();
        if known.len() >= 4 * KEPT {
            known.clear();
        }
        known.insert(sql.to_owned(), access.clone());
        Ok(access)
    }

    /// Runs the statements of a step of the schema; tells which tables' rows they changed.
    pub(crate) fn migrate(&self, conn: &Connection, sql: &str) -> Result<BTreeSet<String>> {
        lock(&self.record).begin(Mode::Migration);
        let done = conn.execute_batch(sql);
        let record = lock(&self.record).end();
        self.forget(conn);
        record.finish(sql, done.map(|()| false)).map(|access| access.writes)
    }

    /// Drops what is known: the schema changed.
    pub(crate) fn forget(&self, conn: &Connection) {
        conn.flush_prepared_statement_cache();
        self.known.borrow_mut().clear();
    }
}

impl Record {
    fn begin(&mut self, mode: Mode) {
        *self = Record { mode, ..Record::default() };
    }

    fn end(&mut self) -> Record {
        std::mem::take(self)
    }

    fn finish(mut self, sql: &str, compiled: rusqlite::Result<bool>) -> Result<Access> {
        if let Some(what) = self.refused.take() {
            return Err(Error::Forbidden { what, sql: sql.to_owned() });
        }
        let readonly = compiled.map_err(|e| Error::statement(sql, e))?;
        match self.unstable.take() {
            Some(what) if !readonly => Err(Error::Forbidden { what, sql: sql.to_owned() }),
            _ => Ok(Access { readonly, plain_insert: is_plain_insert(sql), ..self.access }),
        }
    }

    fn judge(&mut self, context: &AuthContext<'_>) -> Authorization {
        if self.mode == Mode::Own {
            return Authorization::Allow;
        }
        match self.refusal(&context.action) {
            Some(what) => {
                self.refused.get_or_insert(what);
                Authorization::Deny
            }
            None => Authorization::Allow,
        }
    }

    /// Notes what the action touches; says why when it may not be.
    fn refusal(&mut self, action: &AuthAction<'_>) -> Option<String> {
        match *action {
            AuthAction::Read { table_name, .. } => self.touch(table_name, false),
            AuthAction::Insert { table_name }
            | AuthAction::Delete { table_name }
            | AuthAction::Update { table_name, .. } => self.touch(table_name, true),
            AuthAction::Function { function_name } => {
                let name = function_name.to_ascii_lowercase();
                if UNSTABLE.contains(&name.as_str()) {
                    self.unstable = Some(format!("{name}()"));
                }
                None
            }
            AuthAction::Select | AuthAction::Recursive => None,
            AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => {
                Some("a transaction of its own".into())
            }
            // SQLite runs it by itself when a strict table is given a column.
            AuthAction::Pragma { pragma_name: "quick_check", .. }
                if self.mode == Mode::Migration =>
            {
                None
            }
            AuthAction::Pragma { pragma_name, .. } => Some(format!("pragma {pragma_name}")),
            AuthAction::Attach { .. } | AuthAction::Detach { .. } => {
                Some("another database".into())
            }
            AuthAction::Analyze { .. } => Some("analyze".into()),
            _ if self.mode == Mode::Migration => None,
            _ => Some("a change of the schema".into()),
        }
    }

    fn touch(&mut self, table: &str, write: bool) -> Option<String> {
        if table.starts_with(OWN) {
            return Some(format!("table {table}"));
        }
        if !table.starts_with("sqlite_") {
            let set = if write { &mut self.access.writes } else { &mut self.access.reads };
            if !set.contains(table) {
                set.insert(table.to_owned());
            }
        } else if write && self.mode == Mode::Closure {
            return Some(format!("table {table}"));
        }
        None
    }
}

fn is_plain_insert(sql: &str) -> bool {
    let text = sql.trim_start().to_ascii_lowercase();
    text.starts_with("insert into") && !text.contains("on conflict")
}

/// It would end the transaction around it.
pub(crate) fn forces_rollback(sql: &str) -> bool {
    let text = sql.to_ascii_lowercase();
    text.contains("or rollback") || text.contains("conflict rollback")
}

fn lock(record: &Mutex<Record>) -> MutexGuard<'_, Record> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}
