//! The index: its schema, how it is opened, and the few queries that several verbs share.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::error::{At, Doing};
use crate::object::from_json;
use crate::{Error, Object, Result, Tags};

/// The version of the schema below.
const VERSION: u32 = 1;

/// Keys are BLOBs so that they are sorted by their bytes, as S3 lists them. Small contents stand last in
/// their row: a list does not read them. An
/// object's number never comes again: whoever reads by it reads that object or none.
const SCHEMA: &str = "
CREATE TABLE objects (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key BLOB NOT NULL,
    version TEXT NOT NULL,
    latest INTEGER NOT NULL,
    marker INTEGER NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    modified INTEGER NOT NULL,
    attributes TEXT NOT NULL,
    tags TEXT NOT NULL,
    contents BLOB
) STRICT;
CREATE UNIQUE INDEX objects_latest ON objects (key) WHERE latest = 1;
CREATE UNIQUE INDEX objects_version ON objects (key, version);
CREATE INDEX objects_order ON objects (key, id DESC);
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE pieces (
    blob TEXT PRIMARY KEY,
    object INTEGER NOT NULL REFERENCES objects (id) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    size INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX pieces_object ON pieces (object, place);
CREATE TABLE uploads (
    id TEXT PRIMARY KEY,
    key BLOB NOT NULL,
    started INTEGER NOT NULL,
    attributes TEXT NOT NULL,
    tags TEXT NOT NULL
) STRICT;
CREATE INDEX uploads_key ON uploads (key, id);
CREATE TABLE parts (
    upload TEXT NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    blob TEXT NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    modified INTEGER NOT NULL,
    PRIMARY KEY (upload, number)
) STRICT;
CREATE TABLE garbage (blob TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE totals (bytes INTEGER NOT NULL) STRICT;
INSERT INTO totals VALUES (0);
";

/// How long one waits for another; only a checkpoint makes it wait at all.
const PATIENCE: Duration = Duration::from_secs(10);
/// KiB of pages that a connection keeps.
const CACHE: i32 = -512;

/// Opens the index, and makes it if it is not there.
pub(crate) fn open(path: &Path) -> Result<Connection> {
    // SQLite gives its other files the mode of this one.
    let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    made.at("open", path)?;
    let conn = connect(path)?;
    let version: u32 = conn
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .doing("read the version of the index")?;
    match version {
        VERSION => Ok(conn),
        0 => fill(conn),
        version => Err(Error::Version { path: path.to_owned(), version }),
    }
}

/// Makes an index in one file, which can be renamed once it is closed.
pub(crate) fn make(path: &Path) -> Result<Connection> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.at("create", path)?;
    let conn = Connection::open(path).doing("open the new index")?;
    conn.pragma_update(None, "foreign_keys", "ON").doing("open the new index")?;
    fill(conn)
}

fn fill(conn: Connection) -> Result<Connection> {
    let text = format!("BEGIN;{SCHEMA}PRAGMA user_version = {VERSION};COMMIT;");
    conn.execute_batch(&text).doing("make the index")?;
    Ok(conn)
}

/// One more connection to it.
pub(crate) fn connect(path: &Path) -> Result<Connection> {
    let opened = || -> rusqlite::Result<Connection> {
        let conn = Connection::open(path)?;
        conn.busy_timeout(PATIENCE)?;
        // Otherwise a value that is bound makes a statement be compiled anew.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        conn.pragma_update(None, "journal_mode", "WAL")?;
        // What is committed is on disk.
        conn.pragma_update(None, "synchronous", "FULL")?;
        conn.pragma_update(None, "foreign_keys", "ON")?;
        conn.pragma_update(None, "cache_size", CACHE)?;
        Ok(conn)
    };
    opened().doing("open the index")
}

/// The columns that [`object`] reads.
pub(crate) const OBJECT: &str = "id, key, version, marker, size, etag, modified, attributes, tags";

pub(crate) fn object(row: &Row<'_>) -> rusqlite::Result<Object> {
    Ok(Object {
        id: row.get(0)?,
        key: text(row.get(1)?),
        version: row.get(2)?,
        marker: row.get(3)?,
        size: row.get(4)?,
        etag: row.get(5)?,
        modified: row.get(6)?,
        attributes: from_json(&row.get::<_, String>(7)?),
        tags: from_json::<Tags>(&row.get::<_, String>(8)?).len(),
    })
}

/// Keys come in as text, so they are text.
pub(crate) fn text(key: Vec<u8>) -> String {
    String::from_utf8_lossy(&key).into_owned()
}

/// The object of that key.
pub(crate) fn find(conn: &Connection, key: &str) -> Result<Option<Object>> {
    Ok(latest(conn, key)?.filter(|object| !object.marker))
}

/// The object of that key, or what says that it was deleted.
pub(crate) fn latest(conn: &Connection, key: &str) -> Result<Option<Object>> {
    let sql = format!("SELECT {OBJECT} FROM objects WHERE key = ?1 AND latest = 1");
    let found = conn
        .prepare_cached(&sql)
        .and_then(|mut statement| statement.query_row(params![key.as_bytes()], object).optional());
    found.doing("look for an object")
}

/// That version of an object; the one there is without a version.
pub(crate) fn version(conn: &Connection, key: &str, version: Option<&str>) -> Result<Object> {
    let found = match version {
        None => find(conn, key)?,
        Some(version) => numbered(conn, key, version)?,
    };
    match found {
        Some(object) if object.marker => {
            Err(Error::Marker { key: object.key, version: object.version })
        }
        Some(object) => Ok(object),
        None => Err(Error::NoObject { key: key.to_owned() }),
    }
}

/// That version, if it is there, whatever it is.
pub(crate) fn numbered(conn: &Connection, key: &str, version: &str) -> Result<Option<Object>> {
    let sql = format!("SELECT {OBJECT} FROM objects WHERE key = ?1 AND version = ?2");
    let found = conn.prepare_cached(&sql).and_then(|mut statement| {
        statement.query_row(params![key.as_bytes(), version], object).optional()
    });
    found.doing("look for a version")
}

/// Bytes of all objects and parts.
pub(crate) fn total(conn: &Connection) -> Result<u64> {
    let sql = "SELECT bytes FROM totals";
    conn.query_row(sql, [], |row| row.get(0)).doing("read the total")
}

/// Takes an object away; its blobs become garbage.
pub(crate) fn remove(tx: &Connection, object: &Object) -> Result<()> {
    let work = || -> rusqlite::Result<()> {
        let sql = "INSERT INTO garbage SELECT blob FROM pieces WHERE object = ?1";
        tx.prepare_cached(sql)?.execute([object.id])?;
        tx.prepare_cached("DELETE FROM objects WHERE id = ?1")?.execute([object.id])?;
        Ok(())
    };
    work().doing("take an object away")?;
    grow(tx, 0, object.size)
}

/// Notes that bytes came and went.
pub(crate) fn grow(tx: &Connection, more: u64, less: u64) -> Result<()> {
    let sql = "UPDATE totals SET bytes = MAX(0, bytes + ?1 - ?2)";
    let changed = tx.prepare_cached(sql).and_then(|mut s| s.execute(params![more, less]));
    changed.map(drop).doing("write the total")
}

/// Refuses what would pass the limit.
pub(crate) fn check_limit(conn: &Connection, limit: Option<u64>) -> Result<()> {
    match limit {
        Some(limit) if total(conn)? > limit => Err(Error::Full { limit }),
        _ => Ok(()),
    }
}
