//! Versions of objects: kept while the store says so, listed, and deleted by their names.
//!
//! ```text
//! kept     a put makes the newest; a delete makes a marker the newest; older ones stay
//! not      a put, and a delete, replace the version "null"; older ones of other names stay
//! ```
//! Which is newer says the row's number: it only grows.

use rusqlite::{Connection, params};

use crate::error::Doing;
use crate::list::{common, just_after, successor};
use crate::store::now;
use crate::{Error, NULL, Object, Page, Query, Result, Store, blob, index, settings};

/// Rows that are read at once.
const CHUNK: usize = 256;
/// Its name among the settings.
const SETTING: &str = "versioning";

/// Whether versions are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Versioning {
    /// They never were.
    #[default]
    Never,
    /// They are.
    Kept,
    /// They were.
    Suspended,
}

impl Versioning {
    fn word(self) -> &'static str {
        match self {
            Versioning::Never => "",
            Versioning::Kept => "kept",
            Versioning::Suspended => "suspended",
        }
    }

    fn read(word: &str) -> Versioning {
        let all = [Versioning::Kept, Versioning::Suspended];
        all.into_iter().find(|one| one.word() == word).unwrap_or_default()
    }
}

/// What became of an object that was to be deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Whether a marker was made, or a version that was one is gone.
    pub marker: bool,
    /// The marker's version, or the one that is gone.
    pub version: Option<String>,
}

/// What a list of versions comes after.
#[derive(Debug, Clone, Copy)]
pub struct After<'a> {
    /// This key, with all its versions unless one is named.
    pub key: &'a str,
    /// This version of it.
    pub version: Option<&'a str>,
}

impl Store {
    /// Whether versions are kept.
    pub fn versioning(&self) -> Result<Versioning> {
        self.read(setting)
    }

    /// Keeps versions from now on, or no longer. What is there stays.
    pub fn set_versioning(&self, versioning: Versioning) -> Result<()> {
        self.write_settings(|tx| settings::set(tx, SETTING, Some(versioning.word())))
    }

    /// A part of the list of all versions: by key, the newest first. `after` of the query is not looked at.
    pub fn list_versions(&self, query: Query<'_>, after: After<'_>) -> Result<Page> {
        self.read(|conn| page(conn, query, after))
    }
}

fn setting(conn: &Connection) -> Result<Versioning> {
    let word = settings::get(conn, SETTING)?;
    Ok(word.map(|word| Versioning::read(&word)).unwrap_or_default())
}

/// Makes room for what is to be the newest of its key, and gives its version.
pub(crate) fn supersede(tx: &Connection, key: &str) -> Result<String> {
    let kept = setting(tx)? == Versioning::Kept;
    if !kept && let Some(old) = index::numbered(tx, key, NULL)? {
        index::remove(tx, &old)?;
    }
    let sql = "UPDATE objects SET latest = 0 WHERE key = ?1 AND latest = 1";
    let done = tx.prepare_cached(sql).and_then(|mut s| s.execute([key.as_bytes()]));
    done.doing("make an object an older version")?;
    Ok(if kept { blob::unique() } else { NULL.to_owned() })
}

/// Deletes an object: puts a marker in its place where versions are, or were, kept.
pub(crate) fn delete(tx: &Connection, key: &str) -> Result<Deleted> {
    if setting(tx)? == Versioning::Never {
        if let Some(object) = index::latest(tx, key)? {
            index::remove(tx, &object)?;
        }
        return Ok(Deleted::default());
    }
    let version = supersede(tx, key)?;
    let sql =
        "INSERT INTO objects (key, version, latest, marker, size, etag, modified, attributes, tags)
        VALUES (?1, ?2, 1, 1, 0, '', ?3, '{}', '{}')";
    tx.execute(sql, params![key.as_bytes(), version, now()]).doing("write a delete marker")?;
    Ok(Deleted { marker: true, version: Some(version) })
}

/// Deletes one version for ever; the newest of the others is then the object. An absent one is Ok.
pub(crate) fn delete_version(tx: &Connection, key: &str, version: &str) -> Result<Deleted> {
    let deleted = |marker| Deleted { marker, version: Some(version.to_owned()) };
    let Some(object) = index::numbered(tx, key, version)? else { return Ok(deleted(false)) };
    index::remove(tx, &object)?;
    let sql = "UPDATE objects SET latest = 1 WHERE id = (
            SELECT id FROM objects WHERE key = ?1 ORDER BY id DESC LIMIT 1)";
    tx.execute(sql, [key.as_bytes()]).doing("make an older version the object")?;
    Ok(deleted(object.marker))
}

fn page(conn: &Connection, query: Query<'_>, after: After<'_>) -> Result<Page> {
    let mut page = Page::default();
    let end = successor(query.prefix.as_bytes());
    let mut from = Some(first(conn, query, after)?);
    let mut last: Option<(String, String)> = None;
    while let Some((low, below)) = from.take() {
        let rows = rows(conn, &low, below, end.as_deref())?;
        let full = rows.len() == CHUNK;
        for object in rows {
            let common = common(query, &object.key);
            if common.as_deref().is_some_and(|common| common <= after.key) {
                from = common.and_then(|common| successor(common.as_bytes())).map(whole);
                break;
            }
            if page.objects.len() + page.prefixes.len() >= query.most {
                let (key, version) = last.unwrap_or_default();
                (page.next, page.next_version) = (Some(key), Some(version));
                return Ok(page);
            }
            if let Some(common) = common {
                from = successor(common.as_bytes()).map(whole);
                last = Some((common.clone(), String::new()));
                page.prefixes.push(common);
                break;
            }
            last = Some((object.key.clone(), object.version.clone()));
            from = full.then(|| (object.key.as_bytes().to_vec(), object.id));
            page.objects.push(object);
        }
    }
    Ok(page)
}

/// All versions of a key, and what follows.
fn whole(key: Vec<u8>) -> (Vec<u8>, i64) {
    (key, i64::MAX)
}

/// Where to begin: at a key, with versions older than one.
fn first(conn: &Connection, query: Query<'_>, after: After<'_>) -> Result<(Vec<u8>, i64)> {
    let start = match (after.key, after.version.filter(|version| !version.is_empty())) {
        ("", _) => whole(Vec::new()),
        (key, None) => whole(just_after(key)),
        (key, Some(version)) => match index::numbered(conn, key, version)? {
            Some(object) => (key.as_bytes().to_vec(), object.id),
            None => return Err(Error::NoObject { key: key.to_owned() }),
        },
    };
    let prefix = query.prefix.as_bytes();
    Ok(if start.0.as_slice() < prefix { whole(prefix.to_vec()) } else { start })
}

fn rows(conn: &Connection, low: &[u8], below: i64, end: Option<&[u8]>) -> Result<Vec<Object>> {
    let columns = index::OBJECT;
    let bound = if end.is_some() { "AND key < ?3" } else { "AND ?3 IS NULL" };
    let sql = format!(
        "SELECT {columns} FROM objects WHERE key >= ?1 AND (key > ?1 OR id < ?2) {bound}
         ORDER BY key, id DESC LIMIT {CHUNK}"
    );
    let work = || -> rusqlite::Result<Vec<Object>> {
        let mut statement = conn.prepare_cached(&sql)?;
        statement.query_map(params![low, below, end], index::object)?.collect()
    };
    work().doing("list versions")
}
