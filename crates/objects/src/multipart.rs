//! Objects that come in parts: each part is whole by itself, and together they become an object at once.

use md5::{Digest, Md5};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::draft::{Contents, hex};
use crate::error::Doing;
use crate::index::text;
use crate::object::{from_json, json};
use crate::store::{check_key, now};
use crate::{
    Attributes, Error, MOST_PARTS, Object, Result, SMALLEST_PART, Store, Tags, Written, blob,
    index, put, versions,
};

/// An upload in parts that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Its id.
    pub id: String,
    /// The key of the object that it will be.
    pub key: String,
    /// Milliseconds since 1970.
    pub started: i64,
    /// Attributes of the object.
    pub attributes: Attributes,
}

/// A part that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its number, from 1 on.
    pub number: u32,
    /// Bytes.
    pub size: u64,
    /// MD5 in hexadecimal.
    pub etag: String,
    /// Milliseconds since 1970.
    pub modified: i64,
    blob: String,
}

impl Store {
    /// Begins an upload; gives its id.
    pub fn begin(&self, key: &str, attributes: &Attributes, tags: &Tags) -> Result<String> {
        check_key(key)?;
        let id = blob::unique();
        self.write(|tx| {
            let sql = "INSERT INTO uploads VALUES (?1, ?2, ?3, ?4, ?5)";
            let values = params![id, key.as_bytes(), now(), json(attributes), json(tags)];
            tx.execute(sql, values).map(drop).doing("begin an upload")
        })?;
        Ok(id)
    }

    /// The upload of that id, for that key.
    pub fn upload(&self, key: &str, id: &str) -> Result<Upload> {
        self.read(|conn| find(conn, key, id))
    }

    /// Uploads whose key begins so and comes after `after`: by key, then by id.
    pub fn uploads(&self, prefix: &str, after: (&str, &str), most: usize) -> Result<Vec<Upload>> {
        self.read(|conn| {
            let work = || -> rusqlite::Result<Vec<Upload>> {
                let mut statement = conn.prepare_cached(
                    "SELECT id, key, started, attributes FROM uploads
                     WHERE (key, id) > (?1, ?2) AND substr(key, 1, ?4) = ?3
                     ORDER BY key, id LIMIT ?5",
                )?;
                let (key, id, prefix) = (after.0.as_bytes(), after.1, prefix.as_bytes());
                let values = params![key, id, prefix, prefix.len(), most];
                statement.query_map(values, read)?.collect()
            };
            work().doing("list uploads")
        })
    }

    /// Puts a part in the place of the one of its number.
    pub fn put_part(
        &self,
        (key, id): (&str, &str),
        number: u32,
        written: Written,
        limit: Option<u64>,
    ) -> Result<()> {
        if !(1..=MOST_PARTS).contains(&number) {
            return Err(Error::NoPart { number });
        }
        self.write(|tx| {
            find(tx, key, id)?;
            drop_part(tx, id, number)?;
            let Contents::Blobs(blobs) = &written.contents else {
                return Err(Error::NoPart { number });
            };
            let sql = "INSERT INTO parts VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            for (owned, size) in blobs {
                let values = params![id, number, owned.name(), size, written.etag, now()];
                tx.execute(sql, values).doing("write a part")?;
            }
            index::grow(tx, written.size, 0)?;
            index::check_limit(tx, limit)
        })?;
        put::keep(written.contents);
        self.sweep();
        Ok(())
    }

    /// Parts with numbers above `after`, by their numbers.
    pub fn parts(&self, key: &str, id: &str, after: u32, most: usize) -> Result<Vec<Part>> {
        self.read(|conn| {
            find(conn, key, id)?;
            parts(conn, id, after, most)
        })
    }

    /// Makes an object of parts, each named by number and etag, if `wanted` says so of the one of its key. Other
    /// parts go.
    pub fn complete(
        &self,
        (key, id): (&str, &str),
        named: &[(u32, String)],
        wanted: impl FnOnce(Option<&Object>) -> bool,
    ) -> Result<Object> {
        let object = self.write(|tx| {
            let upload = find(tx, key, id)?;
            let all = parts(tx, id, 0, MOST_PARTS as usize)?;
            let chosen = choose(&all, named)?;
            let old = index::find(tx, key)?;
            if !wanted(old.as_ref()) {
                return Err(put::unwanted(old.as_ref(), key));
            }
            let version = versions::supersede(tx, key)?;
            insert(tx, &upload, version, &chosen)
        })?;
        self.sweep();
        Ok(object)
    }

    /// Gives an upload up with its parts.
    pub fn abort(&self, key: &str, id: &str) -> Result<()> {
        self.write(|tx| {
            find(tx, key, id)?;
            for part in parts(tx, id, 0, MOST_PARTS as usize)? {
                drop_part(tx, id, part.number)?;
            }
            tx.execute("DELETE FROM uploads WHERE id = ?1", [id]).map(drop).doing("end an upload")
        })?;
        self.sweep();
        Ok(())
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Upload> {
    let (key, attributes): (_, String) = (row.get(1)?, row.get(3)?);
    let (key, attributes) = (text(key), from_json(&attributes));
    Ok(Upload { id: row.get(0)?, key, started: row.get(2)?, attributes })
}

fn find(conn: &Connection, key: &str, id: &str) -> Result<Upload> {
    let sql = "SELECT id, key, started, attributes FROM uploads WHERE id = ?1 AND key = ?2";
    let found = conn.query_row(sql, params![id, key.as_bytes()], read).optional();
    let found = found.doing("look for an upload")?;
    found.ok_or_else(|| Error::NoUpload { id: id.to_owned() })
}

fn parts(conn: &Connection, id: &str, after: u32, most: usize) -> Result<Vec<Part>> {
    let work = || -> rusqlite::Result<Vec<Part>> {
        let mut statement = conn.prepare_cached(
            "SELECT number, size, etag, modified, blob FROM parts
             WHERE upload = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
        )?;
        let read = |row: &Row<'_>| {
            let (number, size, etag) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(Part { number, size, etag, modified: row.get(3)?, blob: row.get(4)? })
        };
        statement.query_map(params![id, after, most], read)?.collect()
    };
    work().doing("list parts")
}

/// Takes a part away, if it is there; its blob becomes garbage.
fn drop_part(tx: &Connection, id: &str, number: u32) -> Result<()> {
    let work = || -> rusqlite::Result<u64> {
        let which = "upload = ?1 AND number = ?2";
        let sql = format!("SELECT size FROM parts WHERE {which}");
        let size = tx.query_row(&sql, params![id, number], |row| row.get(0)).optional()?;
        let sql = format!("INSERT INTO garbage SELECT blob FROM parts WHERE {which}");
        tx.execute(&sql, params![id, number])?;
        tx.execute(&format!("DELETE FROM parts WHERE {which}"), params![id, number])?;
        Ok(size.unwrap_or(0))
    };
    let size = work().doing("take a part away")?;
    index::grow(tx, 0, size)
}

/// The parts that were named, in order.
fn choose<'a>(all: &'a [Part], named: &[(u32, String)]) -> Result<Vec<&'a Part>> {
    let mut chosen: Vec<&Part> = Vec::new();
    for (number, etag) in named {
        let number = *number;
        if chosen.last().is_some_and(|last| last.number >= number) {
            return Err(Error::PartOrder { number });
        }
        let part = all.iter().find(|part| part.number == number && part.etag == *etag);
        chosen.push(part.ok_or(Error::NoPart { number })?);
    }
    let Some((_, but_last)) = chosen.split_last() else { return Err(Error::NoPart { number: 1 }) };
    match but_last.iter().find(|part| part.size < SMALLEST_PART) {
        Some(part) => Err(Error::PartTooSmall { number: part.number, size: part.size }),
        None => Ok(chosen),
    }
}

/// MD5 of the MD5s, as S3 has it.
fn etag_of(parts: &[&Part]) -> String {
    let mut md5 = Md5::new();
    for part in parts {
        let byte = |at: usize| u8::from_str_radix(part.etag.get(at..at + 2).unwrap_or("0"), 16);
        let bytes: Vec<u8> = (0..16).map(|n| byte(2 * n).unwrap_or(0)).collect();
        md5.update(bytes);
    }
    format!("{}-{}", hex(&md5.finalize()), parts.len())
}

fn insert(tx: &Connection, upload: &Upload, version: String, chosen: &[&Part]) -> Result<Object> {
    let (etag, modified) = (etag_of(chosen), now());
    let size: u64 = chosen.iter().map(|part| part.size).sum();
    let work = || -> rusqlite::Result<i64> {
        tx.execute(
            "INSERT INTO objects (key, size, etag, modified, attributes, tags, version, latest, marker)
             SELECT key, ?2, ?3, ?4, attributes, tags, ?5, 1, 0 FROM uploads WHERE id = ?1",
            params![upload.id, size, etag, modified, version],
        )?;
        let id = tx.last_insert_rowid();
        for (place, part) in chosen.iter().enumerate() {
            let sql = "INSERT INTO pieces (blob, object, place, size) VALUES (?1, ?2, ?3, ?4)";
            tx.prepare_cached(sql)?.execute(params![part.blob, id, place, part.size])?;
            let sql = "DELETE FROM parts WHERE blob = ?1";
            tx.prepare_cached(sql)?.execute([&part.blob])?;
        }
        Ok(id)
    };
    let id = work().doing("write an object")?;
    for part in parts(tx, &upload.id, 0, MOST_PARTS as usize)? {
        drop_part(tx, &upload.id, part.number)?;
    }
    let sql = "DELETE FROM uploads WHERE id = ?1";
    tx.execute(sql, [&upload.id]).doing("end an upload")?;
    let (key, attributes) = (upload.key.clone(), upload.attributes.clone());
    Ok(Object { id, key, version, marker: false, size, etag, modified, attributes, tags: 0 })
}
