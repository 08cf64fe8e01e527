//! The folder of a store: its file names, its lock, and how each SQLite file is opened.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::{Error, Result};

/// How long a lock may be held by what a killed process leaves: a child between its birth and its own program still has
/// all open files.
const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(10);

/// The folder, held by this process as long as this lives.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    dir: PathBuf,
    lock: Arc<File>,
}

impl Folder {
    /// Makes the folder when it is missing, for its owner only, and locks it.
    pub(crate) fn lock(dir: &Path) -> Result<Folder> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(|e| Error::file("create", dir, e))?;
        let path = dir.join("lock");
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|e| Error::file("open", &path, e))?;
        match locked(&file) {
            Ok(()) => Ok(Folder { dir: dir.to_owned(), lock: Arc::new(file) }),
            Err(Errno::WOULDBLOCK) => Err(Error::InUse { dir: dir.to_owned() }),
            Err(e) => Err(Error::file("lock", path, e)),
        }
    }

    /// Lets others have it, though handles may still be around.
    pub(crate) fn unlock(&self) -> std::io::Result<()> {
        Ok(flock(&self.lock, FlockOperation::Unlock)?)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.dir.join("log.db")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.dir.join("state.db")
    }

    pub(crate) fn snapshot(&self) -> PathBuf {
        self.dir.join("snapshot.db")
    }

    /// Where a snapshot is built before it takes its name.
    pub(crate) fn snapshot_new(&self) -> PathBuf {
        self.dir.join("snapshot.new")
    }

    /// Where a snapshot of the leader arrives.
    pub(crate) fn snapshot_received(&self) -> PathBuf {
        self.dir.join("snapshot.received")
    }

    pub(crate) fn damaged(&self, what: impl Into<String>) -> Error {
        Error::Damaged { dir: self.dir.clone(), what: what.into() }
    }
}

fn locked(file: &File) -> rustix::io::Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) if Instant::now() < end => thread::sleep(PAUSE),
            other => return other,
        }
    }
}

/// Makes names in the folder survive a power cut.
pub(crate) fn sync_folder(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}

/// Kibibytes of pages a connection may keep.
const CACHE_LOG: i32 = 256;
const CACHE_STATE: i32 = 1024;
const CACHE_READER: i32 = 512;

/// Every commit is on disk when it returns. Nobody else opens it, which spares locks and shared
/// memory.
pub(crate) fn open_log(path: &Path) -> rusqlite::Result<Connection> {
    let conn = open(path)?;
    conn.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    set_wal(&conn, "FULL", CACHE_LOG)?;
    Ok(conn)
}

/// A power cut takes it back to an earlier commit; the log brings it forward again.
pub(crate) fn open_state(path: &Path) -> rusqlite::Result<Connection> {
    let conn = open(path)?;
    set_wal(&conn, "NORMAL", CACHE_STATE)?;
    conn.pragma_update(None, "foreign_keys", "ON")?;
    Ok(conn)
}

pub(crate) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = connect(path, flags)?;
    conn.pragma_update(None, "cache_size", -CACHE_READER)?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(conn)
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    connect(path, flags)
}

/// Plans do not depend on values: otherwise each value that is bound makes a statement be compiled anew, which takes ten
/// times as long as running it.
fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(path, flags)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(conn)
}

fn set_wal(conn: &Connection, synchronous: &str, cache: i32) -> rusqlite::Result<()> {
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", synchronous)?;
    conn.pragma_update(None, "cache_size", -cache)?;
    conn.pragma_update(None, "journal_size_limit", 4 << 20)
}
