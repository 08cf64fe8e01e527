//! Tags and attributes of objects that are there.

use rusqlite::params;

use crate::error::Doing;
use crate::object::{from_json, json};
use crate::{Attributes, Result, Store, Tags, index};

impl Store {
    /// The tags of an object, or of a version of it.
    pub fn tags(&self, key: &str, version: Option<&str>) -> Result<Tags> {
        self.read(|conn| {
            let object = index::version(conn, key, version)?;
            let sql = "SELECT tags FROM objects WHERE id = ?1";
            let text: String =
                conn.query_row(sql, [object.id], |row| row.get(0)).doing("read tags")?;
            Ok(from_json(&text))
        })
    }

    /// Puts tags in the place of those that were.
    pub fn set_tags(&self, key: &str, version: Option<&str>, tags: &Tags) -> Result<()> {
        self.write(|tx| {
            let object = index::version(tx, key, version)?;
            let sql = "UPDATE objects SET tags = ?2 WHERE id = ?1";
            tx.execute(sql, params![object.id, json(tags)]).map(drop).doing("write tags")
        })
    }
    /// Changes what is said of an object, or of a version of it. Its contents and its time stay.
    pub fn set_attributes(
        &self,
        key: &str,
        version: Option<&str>,
        change: impl FnOnce(&mut Attributes),
    ) -> Result<()> {
        self.write(|tx| {
            let mut object = index::version(tx, key, version)?;
            change(&mut object.attributes);
            let sql = "UPDATE objects SET attributes = ?2 WHERE id = ?1";
            let done = tx.execute(sql, params![object.id, json(&object.attributes)]);
            done.map(drop).doing("write attributes")
        })
    }
}
