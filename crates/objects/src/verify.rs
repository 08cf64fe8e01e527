//! Compares the contents of objects with what their etags say.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use md5::{Digest, Md5};
use rusqlite::{Connection, OpenFlags};

use crate::blob::Blobs;
use crate::draft::hex;
use crate::error::Doing;
use crate::get::{self, Found};
use crate::{Object, Result, index};

/// Rows that are read at once.
const CHUNK: usize = 256;
const BUFFER: usize = 1 << 20;

/// An object whose contents are not what was put.
#[derive(Debug, PartialEq, Eq)]
pub struct Damaged {
    /// Its name.
    pub key: String,
    /// Which of those of that name.
    pub version: String,
    /// What is wrong.
    pub why: String,
}

/// Reads all objects of the store in a folder, which may be in use. `seen` gets the bytes read so far and
/// says whether to go on.
pub fn verify(folder: &Path, seen: &mut dyn FnMut(u64) -> bool) -> Result<Vec<Damaged>> {
    let conn = Connection::open_with_flags(
        folder.join("index.db"),
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    );
    let conn = conn.doing("open the index")?;
    let (blobs, mut damaged, mut bytes, mut last) = (Blobs::at(folder), Vec::new(), 0, 0);
    loop {
        let objects = after(&conn, last)?;
        let Some(end) = objects.last() else { return Ok(damaged) };
        last = end.id;
        for object in objects.into_iter().filter(|object| !object.marker) {
            if let Some(why) = wrong(&conn, &blobs, &object)? {
                damaged.push(Damaged { key: object.key, version: object.version, why });
            }
            bytes += object.size;
            if !seen(bytes) {
                return Ok(damaged);
            }
        }
    }
}

fn after(conn: &Connection, id: i64) -> Result<Vec<Object>> {
    let sql =
        format!("SELECT {} FROM objects WHERE id > ?1 ORDER BY id LIMIT {CHUNK}", index::OBJECT);
    let work = || -> rusqlite::Result<Vec<Object>> {
        conn.prepare_cached(&sql)?.query_map([id], index::object)?.collect()
    };
    work().doing("look for objects")
}

/// What is wrong with an object; nothing with one that is gone meanwhile.
fn wrong(conn: &Connection, blobs: &Blobs, object: &Object) -> Result<Option<String>> {
    let Some((small, pieces)) = contents(conn, object)? else { return Ok(None) };
    let mut sums = Vec::new();
    match small {
        Some(bytes) => sums.push(Md5::digest(bytes).to_vec()),
        None => {
            for (blob, size) in pieces {
                match digest(blobs, &blob, size) {
                    Ok(sum) => sums.push(sum),
                    // One that was deleted while it was read lost its files, too.
                    Err(why) => return Ok(contents(conn, object)?.map(|_| why)),
                }
            }
        }
    }
    let said = object.etag.split_once('-');
    let sum = match said {
        None if sums.len() <= 1 => sums.pop().unwrap_or_else(|| Md5::digest(b"").to_vec()),
        Some((_, parts)) if parts.parse() == Ok(sums.len()) => Md5::digest(sums.concat()).to_vec(),
        // A copy in other pieces than its etag counts: nothing can be said.
        _ => return Ok(None),
    };
    let expected = said.map_or(&*object.etag, |(sum, _)| sum);
    Ok((hex(&sum) != expected).then(|| String::from("its contents are not those that were put")))
}

fn contents(conn: &Connection, object: &Object) -> Result<Option<Found>> {
    match get::contents(conn, object) {
        Ok(found) => Ok(Some(found)),
        Err(crate::Error::NoObject { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn digest(blobs: &Blobs, blob: &str, size: u64) -> Result<Vec<u8>, String> {
    let open = |path: &Path| File::open(path);
    let file = open(&blobs.place(blob)).or_else(|_| open(&blobs.new_place(blob)));
    let mut file = file.map_err(|error| format!("its contents cannot be opened: {error}"))?;
    let (mut md5, mut read, mut buffer) = (Md5::new(), 0, vec![0; BUFFER]);
    loop {
        let got = file.read(&mut buffer);
        match got.map_err(|error| format!("its contents cannot be read: {error}"))? {
            0 => break,
            got => {
                md5.update(&buffer[..got]);
                read += got as u64;
            }
        }
    }
    match read == size {
        true => Ok(md5.finalize().to_vec()),
        false => Err(format!("{read} of {size} bytes are there")),
    }
}
