//! Tags and attributes of objects that are there.

use rusqlite::params;

use crate::error::Doing;
use crate::object::{from_json, json};
use crate::{Error, Result, Store, Tags, index};

impl Store {
    /// The tags of an object.
    pub fn tags(&self, key: &str) -> Result<Tags> {
        self.read(|conn| {
            let object = index::find(conn, key)?;
            let object = object.ok_or_else(|| Error::NoObject { key: key.to_owned() })?;
            let sql = "SELECT tags FROM objects WHERE id = ?1";
            let text: String =
                conn.query_row(sql, [object.id], |row| row.get(0)).doing("read tags")?;
            Ok(from_json(&text))
        })
    }

    /// Puts tags in the place of those that were.
    pub fn set_tags(&self, key: &str, tags: &Tags) -> Result<()> {
        self.write(|tx| {
            let object = index::find(tx, key)?;
            let object = object.ok_or_else(|| Error::NoObject { key: key.to_owned() })?;
            let sql = "UPDATE objects SET tags = ?2 WHERE id = ?1";
            tx.execute(sql, params![object.id, json(tags)]).map(drop).doing("write tags")
        })
    }
}
