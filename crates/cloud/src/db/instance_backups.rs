//! Backups of instances: what is known of each file.

use chrono::{DateTime, Utc};
use store::{Read, Row, Write, params};

use super::instances::Made;

/// A backup as it is stored.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Backup {
    /// The row's key.
    pub id: i64,
    /// The key of its instance's row.
    pub instance_id: i64,
    /// Unique in its instance.
    pub name: String,
    /// Whether the snapshots were left out.
    pub instance_only: bool,
    /// Whether it holds what only the pool's driver can read.
    pub optimized: bool,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it is deleted by itself; `None` is never.
    pub expires_at: Option<DateTime<Utc>>,
    /// How far it is made.
    pub made: Made,
}

const COLUMNS: &str = "SELECT id, instance_id, name, instance_only, optimized, created_at,
    expires_at, state FROM instances_backups";

fn read(row: &Row<'_>) -> store::Result<Backup> {
    Ok(Backup {
        id: row.get(0)?,
        instance_id: row.get(1)?,
        name: row.get(2)?,
        instance_only: row.get(3)?,
        optimized: row.get(4)?,
        created_at: row.get::<String>(5)?.parse().unwrap_or_default(),
        expires_at: row.get::<String>(6)?.parse().ok(),
        made: Made::read(&row.get::<String>(7)?),
    })
}

/// Every backup of every instance, whatever its state, the oldest first.
pub fn all(db: &Read<'_>) -> store::Result<Vec<Backup>> {
    db.query(&format!("{COLUMNS} ORDER BY instance_id, created_at, id"), params![], read)
}

/// The backups of an instance, whatever their state, the oldest first.
pub fn of_instance(db: &Read<'_>, instance: i64) -> store::Result<Vec<Backup>> {
    db.query(
        &format!("{COLUMNS} WHERE instance_id = ?1 ORDER BY created_at, id"),
        params![instance],
        read,
    )
}

/// The backup of that name, whatever its state.
pub fn get(db: &Read<'_>, instance: i64, name: &str) -> store::Result<Option<Backup>> {
    db.query_one(
        &format!("{COLUMNS} WHERE instance_id = ?1 AND name = ?2"),
        params![instance, name],
        read,
    )
}

/// Adds a backup.
pub fn insert(db: &mut Write<'_>, new: &Backup) -> store::Result<()> {
    let expires = new.expires_at.map(|time| time.to_rfc3339()).unwrap_or_default();
    db.execute(
        "INSERT INTO instances_backups (instance_id, name, instance_only, optimized, created_at,
             expires_at, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            new.instance_id,
            new.name,
            new.instance_only,
            new.optimized,
            new.created_at.to_rfc3339(),
            expires,
            new.made.word()
        ],
    )
    .map(drop)
}

/// Notes how far it is made.
pub fn set_made(db: &mut Write<'_>, id: i64, made: Made) -> store::Result<()> {
    let sql = "UPDATE instances_backups SET state = ?2 WHERE id = ?1";
    db.execute(sql, params![id, made.word()]).map(drop)
}

/// Renames it.
pub fn rename(db: &mut Write<'_>, id: i64, name: &str) -> store::Result<()> {
    let sql = "UPDATE instances_backups SET name = ?2 WHERE id = ?1";
    db.execute(sql, params![id, name]).map(drop)
}

/// Deletes the row; an absent one is Ok.
pub fn delete(db: &mut Write<'_>, id: i64) -> store::Result<()> {
    db.execute("DELETE FROM instances_backups WHERE id = ?1", params![id]).map(drop)
}
