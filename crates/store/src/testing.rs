//! For tests of the schema's steps, and always here: a feature for them would have every crate above be built twice. A database of an older level is kept as SQL text beside the
//! steps, and each new step is tried on it.
//!
//! ```text
//! dump(store) at level 3  ->  tests/level-3.sql (committed)
//! restore_dump(tests/level-3.sql, dir); Store::open(dir) makes it the newest; look at its rows;
//! schema(migrated) == schema(fresh)
//! ```

use std::fmt::Write as _;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::error::{BoxError, Error, Result};
use crate::files::{self, Folder};
use crate::meta::{self, Meta};
use crate::options::Member;
use crate::read::Read;
use crate::{Store, recover};

const LEVEL: &str = "-- level ";

/// The schema and all rows as SQL text.
pub fn dump(store: &Store) -> Result<String> {
    let level = store.status().schema_level;
    store.read(|read: &Read<'_>| {
        let mut text = format!("{LEVEL}{level}\n");
        for (kind, name, sql) in objects(read.conn).map_err(Error::internal("dump"))? {
            let _ = writeln!(text, "{sql};");
            if kind == "table" {
                rows(read.conn, &name, &mut text).map_err(Error::internal("dump"))?;
            }
        }
        Ok(text)
    })
}

/// The schema as SQL text without its white space, sorted: the same for a migrated and a new
/// database when the steps are right, as far as SQLite keeps the text of a changed table equal.
pub fn schema(store: &Store) -> Result<Vec<String>> {
    store.read(|read: &Read<'_>| {
        let objects = objects(read.conn).map_err(Error::internal("read the schema"))?;
        let squeeze = |sql: &str| sql.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut texts: Vec<_> = objects.iter().map(|(_, _, sql)| squeeze(sql)).collect();
        texts.sort();
        Ok(texts)
    })
}

/// Makes a store of the dump's level in an empty folder.
pub fn restore_dump(dump: &str, dir: &Path) -> Result<()> {
    let work = || -> Result<(), BoxError> {
        let first = dump.lines().next().and_then(|line| line.strip_prefix(LEVEL));
        let level: u32 = first.ok_or("the dump does not begin with its level")?.parse()?;
        let folder = Folder::lock(dir)?;
        let conn = files::open_state(&folder.state())?;
        conn.pragma_update(None, "foreign_keys", "OFF")?;
        Meta::create_table(&conn)?;
        conn.execute_batch(dump)?;
        meta::put(&conn, "level", &level)?;
        let me = Member { id: 1, name: "none".into(), address: String::new() };
        recover::begin_after(&folder, &me, &Meta::load(&conn)?)
    };
    work().map_err(|e| Error::file("make a database of the dump in", dir, e))
}

/// Kind, name and text of everything in the schema that is not the store's own; tables first.
fn objects(conn: &Connection) -> rusqlite::Result<Vec<(String, String, String)>> {
    let sql = "SELECT type, name, sql FROM sqlite_schema
        WHERE sql IS NOT NULL AND name NOT LIKE '!_store%' ESCAPE '!' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'
        ORDER BY type <> 'table', rowid";
    let mut found = conn.prepare(sql)?;
    found.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
}

fn rows(conn: &Connection, table: &str, text: &mut String) -> rusqlite::Result<()> {
    let mut statement = conn.prepare(&format!("SELECT * FROM \"{table}\""))?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let values: Vec<_> =
            (0..columns).map(|n| row.get_ref(n).map(literal)).collect::<Result<_, _>>()?;
        let _ = writeln!(text, "INSERT INTO \"{table}\" VALUES ({});", values.join(", "));
    }
    Ok(())
}

fn literal(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".into(),
        ValueRef::Integer(i) => i.to_string(),
        ValueRef::Real(r) => format!("{r:?}"),
        ValueRef::Text(t) => format!("'{}'", String::from_utf8_lossy(t).replace('\'', "''")),
        ValueRef::Blob(b) => {
            let hex: String = b.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("X'{hex}'")
        }
    }
}
