//! Makes a store of what [`crate::Frozen`] gave, which nobody vouches for: it may have come with a
//! stranger's backup.
//!
//! ```text
//! names/<n>         records, in the order of their names
//! incoming/<blob>   contents
//! ```

use std::fs;
use std::path::Path;

use rusqlite::{Connection, params};

use crate::error::{At, Doing};
use crate::names::{self, Named};
use crate::rebuild::replay;
use crate::{Error, LONGEST_KEY, Result, blob, index};

/// The folder of the records.
pub const NAMES: &str = "names";
/// The folder of the contents.
pub const CONTENTS: &str = "incoming";

/// Whether a word can be the name of a blob: it becomes that of a file.
pub fn is_blob(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (3..=64).contains(&name.len()) && name.bytes().all(plain)
}

/// Makes the index of a folder with records and contents, and removes the records. All that they name must
/// be there, and nothing else is.
pub fn restore(folder: &Path) -> Result<()> {
    let mut conn = index::make(&folder.join("index.db"))?;
    let tx = conn.transaction().doing("begin the index")?;
    let from = folder.join(NAMES);
    let records = sorted(&from)?;
    if records.is_empty() {
        return Err(damaged("there are no records"));
    }
    for path in records {
        let read = names::read(&path, |record| {
            record.objects.iter().try_for_each(check)?;
            replay(&tx, record).map_err(of_record)
        })?;
        if fs::metadata(&path).at("measure", &path)?.len() != read {
            return Err(damaged("a record breaks off"));
        }
    }
    check_contents(&tx, &folder.join(CONTENTS))?;
    let total = "UPDATE totals SET bytes = (SELECT COALESCE(SUM(size), 0) FROM objects)";
    tx.execute(total, []).doing("write the total")?;
    tx.commit().doing("write the index")?;
    conn.close().map_err(|(_, error)| error).doing("close the index")?;
    fs::remove_dir_all(&from).at("remove", &from)?;
    blob::sync_folder(folder)
}

fn damaged(why: &'static str) -> Error {
    Error::Damaged { why }
}

fn sorted(folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let entries = fs::read_dir(folder).at("list", folder)?;
    let mut found: Vec<_> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()
        .at("list", folder)?;
    found.sort();
    Ok(found)
}

/// What the index does not take was never in one.
fn of_record(error: Error) -> Error {
    match error {
        Error::Index { source, .. }
            if source.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) =>
        {
            damaged("an object is there twice")
        }
        other => other,
    }
}

/// What is wrong with an object would be noticed by whoever gets it, or lead out of the folder.
fn check(object: &Named) -> Result<()> {
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !(1..=LONGEST_KEY).contains(&object.key.len()) {
        return Err(damaged("a key is empty or too long"));
    }
    if object.id < 1 || object.version.is_empty() || !plain(&object.version) || !plain(&object.etag)
    {
        return Err(damaged("a version or an etag is none"));
    }
    if !object.pieces.iter().all(|(blob, _)| is_blob(blob)) {
        return Err(damaged("contents are called what none are"));
    }
    let pieces = object.pieces.iter().try_fold(0_u64, |sum, (_, size)| sum.checked_add(*size));
    let size = match &object.contents {
        Some(bytes) => Some(bytes.len() as u64),
        None => pieces,
    };
    match size == Some(object.size) && i64::try_from(object.size).is_ok() {
        true => Ok(()),
        false => Err(damaged("an object is not as large as its contents")),
    }
}

/// Contents are there, as long as they should be, and each has its object.
fn check_contents(conn: &Connection, folder: &Path) -> Result<()> {
    let count = |sql: &str| -> Result<i64> {
        conn.query_row(sql, [], |row| row.get(0)).doing("count contents")
    };
    let short = "SELECT count(*) FROM objects WHERE contents IS NULL AND size <>
        (SELECT COALESCE(SUM(size), 0) FROM pieces WHERE object = objects.id)";
    if count(short)? > 0 {
        return Err(damaged("contents are of two objects"));
    }
    let named = count("SELECT count(*) FROM pieces")?;
    let mut there = 0;
    for entry in fs::read_dir(folder).at("list", folder)? {
        let entry = entry.at("list", folder)?;
        let length = entry.metadata().at("measure", entry.path())?.len();
        let sql = "SELECT count(*) FROM pieces WHERE blob = ?1 AND size = ?2";
        let name = entry.file_name().to_string_lossy().into_owned();
        let found: i64 = conn
            .prepare_cached(sql)
            .and_then(|mut one| one.query_row(params![name, length], |row| row.get(0)))
            .doing("look for contents")?;
        if found != 1 {
            return Err(damaged("contents are of no object, or not as long as they should be"));
        }
        there += 1;
    }
    match there == named {
        true => Ok(()),
        false => Err(damaged("contents of an object are missing")),
    }
}
