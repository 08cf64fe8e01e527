//! Gives contents their name.

use rusqlite::{Connection, params};

use crate::draft::Contents;
use crate::error::Doing;
use crate::object::json;
use crate::store::{check_key, now};
use crate::{Attributes, Error, Object, Result, Store, Tags, Written, index, versions};

/// An object that is to be.
#[derive(Debug)]
pub struct New<'a> {
    /// Its key.
    pub key: &'a str,
    /// Its contents.
    pub written: Written,
    /// What its owner says of it.
    pub attributes: Attributes,
    /// Its tags.
    pub tags: Tags,
}

impl Store {
    /// Puts an object in the place of the one of its key, if `wanted` says so of that one. `limit` is of the
    /// bytes of all objects and parts.
    pub fn put(
        &self,
        new: New<'_>,
        limit: Option<u64>,
        wanted: impl FnOnce(Option<&Object>) -> bool,
    ) -> Result<Object> {
        check_key(new.key)?;
        let New { key, written, attributes, tags } = new;
        let object = self.write(|tx| {
            let old = index::find(tx, key)?;
            if !wanted(old.as_ref()) {
                return Err(unwanted(old.as_ref(), key));
            }
            let version = versions::supersede(tx, key)?;
            let object = insert(tx, key, version, &written, &attributes, &tags)?;
            index::grow(tx, object.size, 0)?;
            index::check_limit(tx, limit)?;
            Ok(object)
        });
        let object = object?;
        keep(written.contents);
        self.sweep();
        Ok(object)
    }
}

/// What is not as a caller wants it to be, or is not there.
pub(crate) fn unwanted(old: Option<&Object>, key: &str) -> Error {
    let key = key.to_owned();
    if old.is_some() { Error::Condition { key } } else { Error::NoObject { key } }
}

/// The index has them now.
pub(crate) fn keep(contents: Contents) {
    if let Contents::Blobs(blobs) = contents {
        blobs.into_iter().for_each(|(owned, _)| owned.keep());
    }
}

fn insert(
    tx: &Connection,
    key: &str,
    version: String,
    written: &Written,
    attributes: &Attributes,
    tags: &Tags,
) -> Result<Object> {
    let small = match &written.contents {
        Contents::Small(bytes) => Some(bytes.as_slice()),
        Contents::Blobs(_) => None,
    };
    let modified = now();
    let work = || -> rusqlite::Result<i64> {
        tx.prepare_cached(
            "INSERT INTO objects
                 (key, version, latest, marker, size, etag, modified, attributes, tags, contents)
             VALUES (?1, ?2, 1, 0, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            key.as_bytes(),
            version,
            written.size,
            written.etag,
            modified,
            json(attributes),
            json(tags),
            small
        ])?;
        let id = tx.last_insert_rowid();
        if let Contents::Blobs(blobs) = &written.contents {
            let sql = "INSERT INTO pieces (blob, object, place, size) VALUES (?1, ?2, ?3, ?4)";
            let mut statement = tx.prepare_cached(sql)?;
            for (place, (owned, size)) in blobs.iter().enumerate() {
                statement.execute(params![owned.name(), id, place, size])?;
            }
        }
        Ok(id)
    };
    let id = work().doing("write an object")?;
    Ok(Object {
        id,
        key: key.to_owned(),
        version,
        marker: false,
        size: written.size,
        etag: written.etag.clone(),
        modified,
        attributes: attributes.clone(),
        tags: tags.len(),
    })
}
