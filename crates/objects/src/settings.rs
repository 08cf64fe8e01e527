//! Documents that a user of the store keeps with it. What is in them means nothing here.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use crate::error::Doing;
use crate::{Result, Store};

impl Store {
    /// The document of that name.
    pub fn document(&self, name: &str) -> Result<Option<String>> {
        self.read(|conn| get(conn, name))
    }

    /// Puts a document in the place of the one of its name; `None` takes it away.
    pub fn set_document(&self, name: &str, text: Option<&str>) -> Result<()> {
        self.write_settings(|tx| set(tx, name, text))
    }
}

/// All there are.
pub(crate) fn all(conn: &Connection) -> Result<BTreeMap<String, String>> {
    let work = || -> rusqlite::Result<BTreeMap<String, String>> {
        let mut statement = conn.prepare_cached("SELECT name, value FROM settings")?;
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    };
    work().doing("read the settings")
}

pub(crate) fn get(conn: &Connection, name: &str) -> Result<Option<String>> {
    let sql = "SELECT value FROM settings WHERE name = ?1";
    conn.query_row(sql, [name], |row| row.get(0)).optional().doing("read a setting")
}

pub(crate) fn set(conn: &Connection, name: &str, text: Option<&str>) -> Result<()> {
    let done = match text {
        Some(text) => {
            conn.execute("INSERT OR REPLACE INTO settings VALUES (?1, ?2)", params![name, text])
        }
        None => conn.execute("DELETE FROM settings WHERE name = ?1", [name]),
    };
    done.map(drop).doing("write a setting")
}
