//! Storage pools.

use options::Raw;
use store::{Read, Row, Write, params};

use super::{from_json, instances::Made, json};

/// A storage pool as it is stored.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Pool {
    /// The row's key.
    pub id: i64,
    /// Unique.
    pub name: String,
    /// The driver's name, such as `dir`.
    pub driver: String,
    /// Free text.
    pub description: String,
    /// The keys that are set.
    pub config: Raw,
    /// How far it is made.
    pub made: Made,
}

const COLUMNS: &str = "SELECT id, name, driver, description, config, state FROM storage_pools";

fn read(row: &Row<'_>) -> store::Result<Pool> {
    Ok(Pool {
        id: row.get(0)?,
        name: row.get(1)?,
        driver: row.get(2)?,
        description: row.get(3)?,
        config: from_json(&row.get::<String>(4)?),
        made: Made::read(&row.get::<String>(5)?),
    })
}

/// All pools, whatever their state, by name.
pub fn all(db: &Read<'_>) -> store::Result<Vec<Pool>> {
    db.query(&format!("{COLUMNS} ORDER BY name"), params![], read)
}

/// The pool of that name, whatever its state.
pub fn get(db: &Read<'_>, name: &str) -> store::Result<Option<Pool>> {
    db.query_one(&format!("{COLUMNS} WHERE name = ?1"), params![name], read)
}

/// Adds a pool.
pub fn insert(db: &mut Write<'_>, new: &Pool) -> store::Result<()> {
    db.execute(
        "INSERT INTO storage_pools (name, driver, description, config, state)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![new.name, new.driver, new.description, json(&new.config), new.made.word()],
    )?;
    Ok(())
}

/// Puts a pool's editable part in place.
pub fn update(db: &mut Write<'_>, id: i64, description: &str, config: &Raw) -> store::Result<()> {
    db.execute(
        "UPDATE storage_pools SET description = ?2, config = ?3 WHERE id = ?1",
        params![id, description, json(config)],
    )?;
    Ok(())
}

/// Notes how far it is made.
pub fn set_made(db: &mut Write<'_>, name: &str, made: Made) -> store::Result<()> {
    db.execute("UPDATE storage_pools SET state = ?2 WHERE name = ?1", params![name, made.word()])?;
    Ok(())
}

/// Deletes the row; an absent one is Ok.
pub fn delete(db: &mut Write<'_>, name: &str) -> store::Result<()> {
    db.execute("DELETE FROM storage_pools WHERE name = ?1", params![name])?;
    Ok(())
}
