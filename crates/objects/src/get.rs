//! Reads objects.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rusqlite::{Connection, params};

use crate::error::{At, Doing};
use crate::{Error, Object, Result, Store, index};

impl Store {
    /// The object of that key.
    pub fn get(&self, key: &str) -> Result<Object> {
        self.get_version(key, None)
    }

    /// A version of an object; without one, the object.
    pub fn get_version(&self, key: &str, version: Option<&str>) -> Result<Object> {
        self.read(|conn| index::version(conn, key, version))
    }

    /// The version that says that the object of a key was deleted, if one does.
    pub fn marker(&self, key: &str) -> Result<Option<String>> {
        let latest = self.read(|conn| index::latest(conn, key))?;
        Ok(latest.filter(|object| object.marker).map(|object| object.version))
    }

    /// Bytes of the parts that an object came in; of one that came at once its own.
    pub fn part_sizes(&self, object: &Object) -> Result<Vec<u64>> {
        let (_, pieces) = self.read(|conn| contents(conn, object))?;
        match object.etag.contains('-') {
            true => Ok(pieces.into_iter().map(|(_, size)| size).collect()),
            false => Ok(vec![object.size]),
        }
    }

    /// Reads a range of an object as it is now, even if it is replaced meanwhile. If it was already, it is not
    /// there.
    pub fn reader(self: &Arc<Self>, object: &Object, range: Range<u64>) -> Result<Reader> {
        // Before the look: from now on nothing is removed.
        let guard = Guard::new(self);
        let (small, pieces) = self.read(|conn| contents(conn, object))?;
        let range = range.start.min(object.size)..range.end.min(object.size);
        let mut reader = Reader {
            store: self.clone(),
            left: range.end.saturating_sub(range.start),
            source: Source::Small(Vec::new(), 0),
            size: 0,
            pieces: VecDeque::new(),
            guard: None,
        };
        if let Some(bytes) = small {
            reader.source = Source::Small(bytes, range.start as usize);
            return Ok(reader);
        }
        let mut skip = range.start;
        reader.pieces = pieces.into();
        while reader.pieces.front().is_some_and(|(_, size)| skip >= *size) {
            skip -= reader.pieces.pop_front().map_or(0, |(_, size)| size);
        }
        reader.next_piece(skip)?;
        // An open file stays readable without its name.
        reader.guard = (!reader.pieces.is_empty()).then_some(guard);
        Ok(reader)
    }
}

/// Small contents, or the blobs with their sizes.
pub(crate) type Found = (Option<Vec<u8>>, Vec<(String, u64)>);

pub(crate) fn contents(conn: &Connection, object: &Object) -> Result<Found> {
    let work = || -> rusqlite::Result<Option<Found>> {
        let mut statement =
            conn.prepare_cached("SELECT contents FROM objects WHERE id = ?1 AND key = ?2")?;
        let mut rows = statement.query(params![object.id, object.key.as_bytes()])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let small: Option<Vec<u8>> = row.get(0)?;
        let sql = "SELECT blob, size FROM pieces WHERE object = ?1 ORDER BY place";
        let mut statement = conn.prepare_cached(sql)?;
        let pieces = statement.query_map([object.id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Some((small, pieces.collect::<rusqlite::Result<_>>()?)))
    };
    let found = work().doing("look for contents")?;
    found.ok_or_else(|| Error::NoObject { key: object.key.clone() })
}

/// Keeps blobs from being removed.
#[derive(Debug)]
pub(crate) struct Guard(Arc<Store>);

impl Guard {
    pub(crate) fn new(store: &Arc<Store>) -> Guard {
        store.reading.fetch_add(1, Ordering::SeqCst);
        Guard(store.clone())
    }

    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.0
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let last = self.0.reading.fetch_sub(1, Ordering::SeqCst) == 1;
        if last && self.0.deferred.swap(false, Ordering::SeqCst) {
            self.0.sweep();
        }
    }
}

/// An object that is being read.
#[derive(Debug)]
pub struct Reader {
    store: Arc<Store>,
    left: u64,
    source: Source,
    /// Bytes of the blob that is open.
    size: u64,
    pieces: VecDeque<(String, u64)>,
    guard: Option<Guard>,
}

#[derive(Debug)]
enum Source {
    Small(Vec<u8>, usize),
    File(File, String),
}

impl Reader {
    /// Bytes that are still to come.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// The next bytes, at most `most`; none at the end.
    pub fn next(&mut self, most: usize) -> Result<Vec<u8>> {
        let mut wanted = most.min(usize::try_from(self.left).unwrap_or(most));
        let mut bytes = Vec::new();
        while wanted > 0 && bytes.is_empty() {
            match &mut self.source {
                Source::Small(all, at) => {
                    wanted = wanted.min(all.len().saturating_sub(*at));
                    bytes = all[*at..*at + wanted].to_vec();
                    *at += wanted;
                    break;
                }
                Source::File(file, blob) => {
                    bytes.resize(wanted, 0);
                    let path = self.store.blobs().place(blob);
                    let got = file.read(&mut bytes).at("read", path)?;
                    bytes.truncate(got);
                    if got == 0 && !self.next_piece(0)? {
                        break;
                    }
                }
            }
        }
        self.left -= bytes.len() as u64;
        Ok(bytes)
    }

    /// The blob that is open, with its size.
    pub(crate) fn blob(&self) -> Option<(String, u64)> {
        match &self.source {
            Source::Small(..) => None,
            Source::File(_, blob) => Some((blob.clone(), self.size)),
        }
    }

    /// The blobs that come after it.
    pub(crate) fn rest(&self) -> impl Iterator<Item = (String, u64)> {
        self.pieces.clone().into_iter()
    }

    /// Opens the next blob; false when there is none.
    fn next_piece(&mut self, skip: u64) -> Result<bool> {
        let Some((blob, size)) = self.pieces.pop_front() else { return Ok(false) };
        let mut file = self.store.blobs().read(&blob)?;
        if skip > 0 {
            file.seek(SeekFrom::Start(skip)).at("seek in", self.store.blobs().place(&blob))?;
        }
        (self.source, self.size) = (Source::File(file, blob), size);
        Ok(true)
    }
}
