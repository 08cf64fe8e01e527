//! An open store.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::hooks::Action;
use rusqlite::{Connection, OptionalExtension};

use crate::batch::{self, Batch};
use crate::blob::{self, Blobs};
use crate::error::{At, Doing};
use crate::names::{self, Names};
use crate::{Error, LONGEST_KEY, Result, index, rebuild};

/// Connections for readers that are kept; more are made when more read at once.
const READERS: usize = 4;
/// How long a change waits for the next one that said it comes.
const PATIENCE: Duration = Duration::from_millis(200);

/// An open store. Only one may be open of a folder.
#[derive(Debug)]
pub struct Store {
    blobs: Blobs,
    index: PathBuf,
    writer: Mutex<Writer>,
    /// Who wants to change something and has not begun.
    waiting: AtomicUsize,
    /// Rings when changes were committed.
    committed: Condvar,
    readers: Mutex<Vec<Connection>>,
    /// Readers of objects in several pieces: while there are any no blob is removed.
    pub(crate) reading: AtomicUsize,
    /// Whether the last of them has blobs to remove.
    pub(crate) deferred: AtomicBool,
}

/// Who changes the index, and notes the changes.
#[derive(Debug)]
struct Writer {
    conn: Connection,
    names: Names,
    /// The objects that the change under way has changed.
    changed: Arc<Mutex<BTreeSet<i64>>>,
    /// What waits to be committed.
    batch: Option<Batch>,
}

impl Writer {
    fn new(mut conn: Connection, names: Names) -> Result<Writer> {
        let changed = Arc::<Mutex<BTreeSet<i64>>>::default();
        let seen = changed.clone();
        let hook = move |_: Action, _: &str, table: &str, id: i64| {
            if table == "objects" {
                lock(&seen).insert(id);
            }
        };
        conn.update_hook(Some(hook)).doing("follow changes")?;
        Ok(Writer { conn, names, changed, batch: None })
    }

    /// Does a change within the batch that is open; without one, or anything changed, nothing is left open.
    fn join<T>(
        &mut self,
        work: impl FnOnce(&Connection) -> Result<T>,
        with_settings: bool,
    ) -> Result<T> {
        // What a change that failed would have changed.
        lock(&self.changed).clear();
        batch::begin(&self.conn)?;
        let batch = self.batch.get_or_insert_default();
        batch.members += 1;
        let done = alone(&mut self.conn, work);
        if done.is_ok() {
            batch.ids.append(&mut lock(&self.changed));
            batch.with_settings |= with_settings;
        }
        if self.conn.is_autocommit() {
            // An error by which all of it was rolled back, such as a full disk.
            let text = Some(String::from("another change broke the transaction off"));
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ABORT);
            let broken = Err(rusqlite::Error::SqliteFailure(code, text));
            if let Some(batch) = self.batch.take_if(|batch| batch.members > 1) {
                batch.outcome.set(&broken);
            }
            self.batch = None;
        }
        done
    }

    fn is_full(&self) -> bool {
        self.batch.as_ref().is_some_and(|batch| batch.members >= batch::MOST)
    }

    /// Commits what is open, and notes it.
    fn commit(&mut self) {
        let Some(batch) = self.batch.take() else { return };
        let is_change = batch.with_settings || !batch.ids.is_empty();
        let counted = if is_change { names::count(&self.conn) } else { Ok(()) };
        let committed = match counted {
            Ok(()) => self.conn.execute_batch("COMMIT"),
            Err(Error::Index { source, .. }) => Err(source),
            Err(_) => Err(rusqlite::Error::InvalidQuery),
        };
        if committed.is_err() && !self.conn.is_autocommit() {
            // What cannot be rolled back either is at the next open.
            let _ = self.conn.execute_batch("ROLLBACK");
        }
        if committed.is_ok() && is_change {
            self.names.note(&self.conn, &batch.ids, batch.with_settings);
        }
        batch.outcome.set(&committed);
    }
}

impl Store {
    /// Opens the store in a folder that is there, and removes what a crash left in it.
    pub fn open(folder: &Path) -> Result<Store> {
        let (blobs, path) = (Blobs::open(folder)?, folder.join("index.db"));
        rebuild::if_lost(folder, &blobs)?;
        let conn = index::open(&path)?;
        blob::sync_folder(folder)?;
        let names = Names::open(folder, &conn)?;
        let (writer, readers) = (Mutex::new(Writer::new(conn, names)?), Mutex::default());
        let (reading, deferred) = (AtomicUsize::new(0), AtomicBool::new(false));
        let (waiting, committed) = (AtomicUsize::new(0), Condvar::new());
        let store =
            Store { blobs, index: path, writer, waiting, committed, readers, reading, deferred };
        store.settle_incoming()?;
        store.sweep();
        Ok(store)
    }

    /// Bytes of all objects and parts.
    pub fn total(&self) -> Result<u64> {
        self.read(index::total)
    }

    pub(crate) fn index(&self) -> &Path {
        &self.index
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
    pub(crate) fn write<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.change(work, false)
    }

    /// The same for settings.
    pub(crate) fn write_settings<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T>,
    ) -> Result<T> {
        self.change(work, true)
    }

    fn change<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T>,
        with_settings: bool,
    ) -> Result<T> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut writer = lock(&self.writer);
        let is_last = self.waiting.fetch_sub(1, Ordering::SeqCst) == 1;
        let done = writer.join(work, with_settings);
        let Some(outcome) = writer.batch.as_ref().map(|batch| batch.outcome.clone()) else {
            // Nothing is open, and nothing will be: those who took part are told.
            self.committed.notify_all();
            return done;
        };
        if is_last || writer.is_full() {
            writer.commit();
            self.committed.notify_all();
        }
        loop {
            match outcome.get() {
                // What the others did may be why this failed: they must have done it.
                Some(committed) => return committed.and(done),
                None => writer = self.wait(writer),
            }
        }
    }

    /// Waits for whoever comes last to commit. If that one panicked, the first who wonders commits.
    fn wait<'a>(&self, writer: MutexGuard<'a, Writer>) -> MutexGuard<'a, Writer> {
        let waited = self.committed.wait_timeout(writer, PATIENCE);
        let (mut writer, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            writer.commit();
            self.committed.notify_all();
        }
        writer
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

/// Does a change all or nothing within a transaction.
fn alone<T>(conn: &mut Connection, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    let savepoint = conn.savepoint().doing("begin a change")?;
    // One that fails, or panics, is rolled back when this goes.
    let done = work(&savepoint)?;
    savepoint.commit().doing("end a change")?;
    Ok(done)
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
    let now = clock::since_1970();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}
