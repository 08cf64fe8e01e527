//! The connections that read: a few are kept, so that a read costs microseconds and waits for
//! nobody.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use crate::error::{BoxError, Error, Result};
use crate::files;
use crate::options::MemberId;
use crate::read::Read;
use crate::snapshot;

/// Idle connections kept.
const KEPT: usize = 4;

#[derive(Debug)]
pub(crate) struct Readers {
    path: PathBuf,
    me: MemberId,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(crate) fn new(path: PathBuf, me: MemberId) -> Readers {
        Readers { path, me, idle: Mutex::default() }
    }

    /// Runs the closure on one snapshot of the state.
    pub(crate) fn read<R, E: From<Error>>(
        &self,
        f: impl FnOnce(&Read<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        let (mut f, mut result) = (Some(f), None);
        self.read_once(&mut |read| result = f.take().map(|f| f(read)))?;
        result.unwrap_or_else(|| Err(Error::Closed.into()))
    }

    /// Not generic, so that it is compiled once for all who read.
    fn read_once(&self, f: &mut dyn FnMut(&Read<'_>)) -> Result<()> {
        let conn = self.take()?;
        run(&conn, "BEGIN")?;
        f(&Read { conn: &conn, tracker: None, me: self.me });
        run(&conn, "COMMIT")?;
        self.put(conn);
        Ok(())
    }

    /// Copies the state as of now to a new file.
    pub(crate) fn copy_to(&self, target: &Path) -> Result<()> {
        let conn = self.take()?;
        let copied = write_file(&conn, target);
        self.put(conn);
        copied.map_err(|e| Error::file("write", target, e))
    }

    fn take(&self) -> Result<Connection> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(conn) => Ok(conn),
            None => files::open_reader(&self.path).map_err(|e| Error::file("open", &self.path, e)),
        }
    }

    /// A connection whose reader panicked never comes back here.
    fn put(&self, conn: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push(conn);
        }
    }

    pub(crate) fn close(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

fn run(conn: &Connection, sql: &str) -> Result<()> {
    conn.prepare_cached(sql)
        .and_then(|mut statement| statement.execute([]))
        .map_err(Error::internal("read the state"))?;
    Ok(())
}

/// One file, without a write-ahead log beside it; the caller makes it durable.
fn write_file(conn: &Connection, target: &Path) -> Result<(), BoxError> {
    let mut copy = Connection::open(target)?;
    copy.pragma_update(None, "synchronous", "OFF")?;
    snapshot::copy(conn, &mut copy)?;
    copy.pragma_update(None, "journal_mode", "DELETE")?;
    Ok(())
}
