//! `names.log`: once more what the index knows, so that a lost index loses no object.
//!
//! Every change of the index is appended here after it was committed: the rows that changed as they are
//! now, small contents with them, and the numbers of those that are gone. It is not synced, as the
//! index is; what a power cut takes from its end is noticed at the next open by the number of the last
//! change, and then it is written anew. So it is whenever it has grown much larger than what it says.
//!
//! ```text
//! record   a line of JSON, then the contents of its small objects, then a newline
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use crate::error::{At, Doing};
use crate::{Result, blob, settings};

/// Its name among the settings: the number of the last change.
pub(crate) const CHANGES: &str = "changes";
/// Objects of a record when all are written.
const CHUNK: usize = 64;
/// Bytes that it may have beside twice what it had when it was written whole.
pub(crate) const SLACK: u64 = if cfg!(test) { 1 << 20 } else { 16 << 20 };
/// Bytes of the longest line: keys and attributes of a chunk, and as many numbers as a change may have.
const LINE: u64 = 256 << 20;

/// A change.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Record {
    /// Its number.
    pub(crate) change: u64,
    /// Bytes of the whole log when it was written anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    whole: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) gone: Vec<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) objects: Vec<Named>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) settings: Option<BTreeMap<String, String>>,
}

/// An object as the index has it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Named {
    pub(crate) id: i64,
    pub(crate) key: String,
    pub(crate) version: String,
    pub(crate) latest: bool,
    pub(crate) marker: bool,
    pub(crate) size: u64,
    pub(crate) etag: String,
    pub(crate) modified: i64,
    pub(crate) attributes: String,
    pub(crate) tags: String,
    /// Bytes of its contents, where they are in the index.
    #[serde(skip_serializing_if = "Option::is_none")]
    small: Option<usize>,
    /// Its blobs with their sizes otherwise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) pieces: Vec<(String, u64)>,
    #[serde(skip)]
    pub(crate) contents: Option<Vec<u8>>,
}

/// The log while the store is open.
#[derive(Debug)]
pub(crate) struct Names {
    folder: PathBuf,
    /// None after it could not be written: it is written anew at the next open.
    file: Option<File>,
    /// Bytes it has, and had when it was written whole.
    bytes: u64,
    whole: u64,
}

impl Names {
    pub(crate) fn path(folder: &Path) -> PathBuf {
        folder.join("names.log")
    }

    /// Opens the log of an index, and writes it anew if it does not end as the index does.
    pub(crate) fn open(folder: &Path, index: &Connection) -> Result<Names> {
        let path = Names::path(folder);
        let (mut last, mut whole, mut bytes) = (None, 0, 0);
        if path.exists() {
            bytes = read(&path, |record| {
                last = Some(record.change);
                whole = record.whole.unwrap_or(whole);
                Ok(())
            })?;
        }
        let mut names = Names { folder: folder.to_owned(), file: None, bytes, whole };
        match last == Some(change(index)?) && !names.is_long() {
            true => names.file = Some(names.append()?),
            false => names.write_whole(index)?,
        }
        Ok(names)
    }

    fn append(&self) -> Result<File> {
        let path = Names::path(&self.folder);
        OpenOptions::new().append(true).open(&path).at("open", &path)
    }

    /// Whether it says the same things too often.
    fn is_long(&self) -> bool {
        self.bytes > 2 * self.whole + SLACK
    }

    fn write_whole(&mut self, index: &Connection) -> Result<()> {
        self.whole = write_whole(&self.folder, index)?;
        self.bytes = self.whole;
        self.file = Some(self.append()?);
        Ok(())
    }

    /// Appends what became of rows. A log that cannot be written fails no change of the index.
    pub(crate) fn note(&mut self, index: &Connection, ids: &BTreeSet<i64>, with_settings: bool) {
        if self.file.is_none() {
            return;
        }
        if let Err(error) = self.try_note(index, ids, with_settings) {
            tracing::warn!(%error, "names of objects are noted at the next open");
            self.file = None;
        }
    }

    fn try_note(
        &mut self,
        index: &Connection,
        ids: &BTreeSet<i64>,
        with_settings: bool,
    ) -> Result<()> {
        let bytes = bytes(&record(index, ids, with_settings)?);
        if let Some(file) = &mut self.file {
            file.write_all(&bytes).at("write", &self.folder)?;
        }
        self.bytes += bytes.len() as u64;
        match self.is_long() {
            true => self.write_whole(index),
            false => Ok(()),
        }
    }
}

/// The number of the last change of an index.
fn change(index: &Connection) -> Result<u64> {
    Ok(settings::get(index, CHANGES)?.and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// Counts a change.
pub(crate) fn count(index: &Connection) -> Result<()> {
    settings::set(index, CHANGES, Some(&(change(index)? + 1).to_string()))
}

pub(crate) fn record(
    index: &Connection,
    ids: &BTreeSet<i64>,
    with_settings: bool,
) -> Result<Record> {
    let mut record = Record { change: change(index)?, ..Record::default() };
    for id in ids {
        match named(index, *id)? {
            Some(object) => record.objects.push(object),
            None => record.gone.push(*id),
        }
    }
    record.settings = with_settings.then(|| settings::all(index)).transpose()?;
    Ok(record)
}

fn named(index: &Connection, id: i64) -> Result<Option<Named>> {
    let work = || -> rusqlite::Result<Option<Named>> {
        let mut statement = index.prepare_cached(
            "SELECT key, version, latest, marker, size, etag, modified, attributes, tags, contents
             FROM objects WHERE id = ?1",
        )?;
        let row = statement.query_row([id], |row| {
            let contents: Option<Vec<u8>> = row.get(9)?;
            Ok(Named {
                id,
                key: crate::index::text(row.get(0)?),
                version: row.get(1)?,
                latest: row.get(2)?,
                marker: row.get(3)?,
                size: row.get(4)?,
                etag: row.get(5)?,
                modified: row.get(6)?,
                attributes: row.get(7)?,
                tags: row.get(8)?,
                small: contents.as_ref().map(Vec::len),
                pieces: Vec::new(),
                contents,
            })
        });
        let Some(mut object) = row.optional()? else { return Ok(None) };
        let sql = "SELECT blob, size FROM pieces WHERE object = ?1 ORDER BY place";
        let mut statement = index.prepare_cached(sql)?;
        let pieces = statement.query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        object.pieces = pieces.collect::<rusqlite::Result<_>>()?;
        Ok(Some(object))
    };
    work().doing("read an object")
}

pub(crate) fn bytes(record: &Record) -> Vec<u8> {
    // A record is plain data: it can be written.
    let mut bytes = serde_json::to_vec(record).unwrap_or_default();
    bytes.push(b'\n');
    for contents in record.objects.iter().filter_map(|object| object.contents.as_deref()) {
        bytes.extend_from_slice(contents);
    }
    bytes.push(b'\n');
    bytes
}

/// Writes the log of all that is in an index, beside the old one and then in its place.
fn write_whole(folder: &Path, index: &Connection) -> Result<u64> {
    let (path, new) = (Names::path(folder), folder.join("names.new"));
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(&new);
    let mut out = BufWriter::new(file.at("create", &new)?);
    let (mut after, mut written) = (0, 0);
    loop {
        let ids = ids(index, after)?;
        let Some(last) = ids.last() else { break };
        after = *last;
        let bytes = bytes(&record(index, &ids, false)?);
        written += bytes.len() as u64;
        out.write_all(&bytes).at("write", &new)?;
    }
    let end = Record { whole: Some(written), ..record(index, &BTreeSet::new(), true)? };
    out.write_all(&bytes(&end)).at("write", &new)?;
    let file = out.into_inner().map_err(std::io::IntoInnerError::into_error).at("write", &new)?;
    file.sync_all().at("sync", &new)?;
    std::fs::rename(&new, &path).at("rename", &new)?;
    blob::sync_folder(folder)?;
    Ok(written)
}

pub(crate) fn ids(index: &Connection, after: i64) -> Result<BTreeSet<i64>> {
    let work = || -> rusqlite::Result<BTreeSet<i64>> {
        let sql = "SELECT id FROM objects WHERE id > ?1 ORDER BY id LIMIT ?2";
        let mut statement = index.prepare_cached(sql)?;
        statement.query_map(params![after, CHUNK], |row| row.get(0))?.collect()
    };
    work().doing("list objects")
}

/// Reads all records up to the first that is not whole; gives the bytes of those.
pub(crate) fn read(path: &Path, mut each: impl FnMut(Record) -> Result<()>) -> Result<u64> {
    let mut from = BufReader::new(File::open(path).at("open", path)?);
    let mut done = 0;
    while let Some((record, length)) = next(&mut from).at("read", path)? {
        each(record)?;
        done += length;
    }
    Ok(done)
}

fn next(from: &mut impl BufRead) -> std::io::Result<Option<(Record, u64)>> {
    let mut line = Vec::new();
    from.take(LINE).read_until(b'\n', &mut line)?;
    let Ok(mut record) = serde_json::from_slice::<Record>(&line) else { return Ok(None) };
    let mut length = line.len() as u64 + 1;
    for object in &mut record.objects {
        let Some(small) = object.small else { continue };
        let mut contents = Vec::new();
        from.take(small as u64).read_to_end(&mut contents)?;
        if contents.len() < small {
            return Ok(None);
        }
        length += small as u64;
        object.contents = Some(contents);
    }
    let mut end = [0];
    let ended = from.read(&mut end)? == 1 && end == *b"\n";
    Ok((line.ends_with(b"\n") && ended).then_some((record, length)))
}
