//! An open store.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

use crate::blob::{self, Blobs};
use crate::error::{At, Doing};
use crate::{Error, LONGEST_KEY, Result, index};

/// Connections for readers that are kept; more are made when more read at once.
const READERS: usize = 4;

/// An open store. Only one may be open of a folder.
#[derive(Debug)]
pub struct Store {
    blobs: Blobs,
    index: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    /// Readers of objects in several pieces: while there are any no blob is removed.
    pub(crate) reading: AtomicUsize,
    /// Whether the last of them has blobs to remove.
    pub(crate) deferred: AtomicBool,
}

impl Store {
    /// Opens the store in a folder that is there, and removes what a crash left in it.
    pub fn open(folder: &Path) -> Result<Store> {
        let (blobs, path) = (Blobs::open(folder)?, folder.join("index.db"));
        let conn = index::open(&path)?;
        blob::sync_folder(folder)?;
        let (writer, readers) = (Mutex::new(conn), Mutex::default());
        let (reading, deferred) = (AtomicUsize::new(0), AtomicBool::new(false));
        let store = Store { blobs, index: path, writer, readers, reading, deferred };
        store.settle_incoming()?;
        store.sweep();
        Ok(store)
    }

    /// Bytes of all objects and parts.
    pub fn total(&self) -> Result<u64> {
        self.read(index::total)
    }

    pub(crate) fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// Looks something up.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let kept = lock(&self.readers).pop();
        let conn = kept.map_or_else(|| index::connect(&self.index), Ok)?;
        let done = work(&conn);
        let mut readers = lock(&self.readers);
        if readers.len() < READERS {
            readers.push(conn);
        }
        done
    }

    /// Changes something, all or nothing; durable when it returns.
    pub(crate) fn write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let mut writer = lock(&self.writer);
        let behavior = TransactionBehavior::Immediate;
        let tx = writer.transaction_with_behavior(behavior).doing("begin a change")?;
        let done = work(&tx)?;
        tx.commit().doing("commit a change")?;
        Ok(done)
    }

    /// Blobs that got their name and were not settled are; those without a name go.
    fn settle_incoming(&self) -> Result<()> {
        let incoming = self.blobs.incoming();
        for entry in std::fs::read_dir(&incoming).at("list", &incoming)? {
            let Ok(blob) = entry.at("list", &incoming)?.file_name().into_string() else { continue };
            match self.read(|conn| is_named(conn, &blob))? {
                true => self.blobs.settle(&blob)?,
                false => self.blobs.remove(&blob)?,
            }
        }
        Ok(())
    }

    /// Removes blobs that lost their name. What cannot be removed now is tried again later.
    pub(crate) fn sweep(&self) {
        if self.reading.load(Ordering::SeqCst) > 0 {
            self.deferred.store(true, Ordering::SeqCst);
            return;
        }
        if let Err(error) = self.try_sweep() {
            tracing::warn!(%error, "contents without an object stay for now");
        }
    }

    fn try_sweep(&self) -> Result<()> {
        let garbage: Vec<String> = self.read(|conn| {
            let mut statement =
                conn.prepare_cached("SELECT blob FROM garbage").doing("look for garbage")?;
            let rows = statement.query_map([], |row| row.get(0)).doing("look for garbage")?;
            rows.collect::<rusqlite::Result<_>>().doing("look for garbage")
        })?;
        if garbage.is_empty() {
            return Ok(());
        }
        for blob in &garbage {
            self.blobs.remove(blob)?;
        }
        self.write(|tx| {
            let sql = "DELETE FROM garbage WHERE blob = ?1";
            let mut statement = tx.prepare_cached(sql).doing("forget garbage")?;
            for blob in &garbage {
                statement.execute([blob]).doing("forget garbage")?;
            }
            Ok(())
        })
    }
}

fn is_named(conn: &Connection, blob: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM pieces WHERE blob = ?1 UNION ALL SELECT 1 FROM parts WHERE blob = ?1";
    let found: Option<i64> =
        conn.query_row(sql, [blob], |row| row.get(0)).optional().doing("look for a blob")?;
    Ok(found.is_some())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Refuses what cannot be a key.
pub(crate) fn check_key(key: &str) -> Result<()> {
    match key.len() {
        1..=LONGEST_KEY => Ok(()),
        length => Err(Error::Key { length }),
    }
}

/// Milliseconds since 1970.
pub(crate) fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}
