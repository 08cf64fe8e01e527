//! Makes a lost or damaged index anew from `names.log`.

use std::fs;
use std::io;
use std::path::Path;

use rusqlite::{Connection, Transaction, params};

use crate::blob::{self, Blobs};
use crate::error::{At, Doing};
use crate::names::{self, Named, Names, Record};
use crate::{Error, Result, index, settings};

/// Makes the index anew where it is not there, or is none, and its names are. Objects whose contents are
/// not all there are left out, and told.
pub(crate) fn if_lost(folder: &Path, blobs: &Blobs) -> Result<()> {
    let (path, log) = (folder.join("index.db"), Names::path(folder));
    if !log.exists() || is_index(&path)? {
        return Ok(());
    }
    tracing::warn!(folder = %folder.display(), "the index is lost: it is made anew from the names");
    keep_damaged(folder)?;
    let new = folder.join("index.new");
    absent_is_done(fs::remove_file(&new)).at("remove", &new)?;
    let mut conn = index::make(&new)?;
    let tx = conn.transaction().doing("begin the new index")?;
    names::read(&log, |record| replay(&tx, record))?;
    drop_broken(&tx, blobs)?;
    let total = "UPDATE totals SET bytes = (SELECT COALESCE(SUM(size), 0) FROM objects)";
    tx.execute(total, []).doing("write the total")?;
    tx.commit().doing("write the new index")?;
    conn.close().map_err(|(_, error)| error).doing("close the new index")?;
    fs::rename(&new, &path).at("rename", &new)?;
    blob::sync_folder(folder)
}

/// Whether there is an index that can be read.
fn is_index(path: &Path) -> Result<bool> {
    if !path.exists() {
        return Ok(false);
    }
    let looked = Connection::open(path).and_then(|conn| {
        let version: u32 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
        conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, u32>(0))?;
        Ok(version > 0)
    });
    match looked {
        Err(error) if is_damage(&error) => Ok(false),
        other => other.doing("look at the index"),
    }
}

fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

/// Puts what is left of an index aside; what was not yet in it is no use without it.
fn keep_damaged(folder: &Path) -> Result<()> {
    for end in ["", "-wal", "-shm"] {
        let path = folder.join(format!("index.db{end}"));
        let aside = folder.join(format!("index.db{end}.damaged"));
        absent_is_done(fs::rename(&path, aside)).at("rename", &path)?;
    }
    Ok(())
}

fn absent_is_done(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

pub(crate) fn replay(tx: &Transaction<'_>, mut record: Record) -> Result<()> {
    for id in &record.gone {
        tx.execute("DELETE FROM objects WHERE id = ?1", [id]).doing("forget an object")?;
    }
    // An older version makes room for the latest.
    record.objects.sort_by_key(|object| object.latest);
    for object in &record.objects {
        insert(tx, object).doing("write an object")?;
    }
    if let Some(all) = &record.settings {
        tx.execute("DELETE FROM settings", []).doing("forget settings")?;
        all.iter().try_for_each(|(name, text)| settings::set(tx, name, Some(text)))?;
    }
    settings::set(tx, names::CHANGES, Some(&record.change.to_string()))
}

fn insert(tx: &Transaction<'_>, object: &Named) -> rusqlite::Result<()> {
    tx.execute("DELETE FROM objects WHERE id = ?1", [object.id])?;
    tx.prepare_cached(
        "INSERT INTO objects
             (id, key, version, latest, marker, size, etag, modified, attributes, tags, contents)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        object.id,
        object.key.as_bytes(),
        object.version,
        object.latest,
        object.marker,
        object.size,
        object.etag,
        object.modified,
        object.attributes,
        object.tags,
        object.contents
    ])?;
    let mut statement = tx.prepare_cached(
        "INSERT OR REPLACE INTO pieces (blob, object, place, size) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for (place, (blob, size)) in object.pieces.iter().enumerate() {
        statement.execute(params![blob, object.id, place, size])?;
    }
    Ok(())
}

/// Leaves out objects whose contents are not there.
fn drop_broken(tx: &Transaction<'_>, blobs: &Blobs) -> Result<()> {
    let work = || -> rusqlite::Result<Vec<(String, u64, i64)>> {
        let mut statement = tx.prepare("SELECT blob, size, object FROM pieces")?;
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
    };
    for (name, size, object) in work().doing("list contents")? {
        match blobs.read(&name).and_then(|file| file.metadata().at("measure", &name)) {
            Ok(found) if found.len() == size => continue,
            Ok(_) | Err(Error::Io { .. }) => {}
            Err(other) => return Err(other),
        }
        tracing::warn!(blob = name, "an object is left out: its contents are not there");
        tx.execute("DELETE FROM objects WHERE id = ?1", [object]).doing("leave an object out")?;
    }
    Ok(())
}
