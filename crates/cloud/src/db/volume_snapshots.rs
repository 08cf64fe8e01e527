//! Snapshots of custom volumes: what each was when it was taken.

use chrono::{DateTime, Utc};
use options::Raw;
use store::{Read, Row, Write, params};

use super::{from_json, instances::Made, json};

/// A snapshot as it is stored.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Snapshot {
    /// The row's key.
    pub id: i64,
    /// The key of its volume's row.
    pub volume_id: i64,
    /// Unique in its volume.
    pub name: String,
    /// Free text.
    pub description: String,
    /// The volume's options then.
    pub config: Raw,
    /// When it was taken.
    pub created_at: DateTime<Utc>,
    /// When it is deleted by itself; `None` is never.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether a schedule took it, and nobody has changed it since.
    #[serde(default)]
    pub scheduled: bool,
    /// How far it is made.
    pub made: Made,
}

const COLUMNS: &str = "SELECT id, volume_id, name, description, config, created_at, expires_at,
    state, scheduled FROM volumes_snapshots";

fn read(row: &Row<'_>) -> store::Result<Snapshot> {
    Ok(Snapshot {
        id: row.get(0)?,
        volume_id: row.get(1)?,
        name: row.get(2)?,
        description: row.get(3)?,
        config: from_json(&row.get::<String>(4)?),
        created_at: row.get::<String>(5)?.parse().unwrap_or_default(),
        expires_at: row.get::<String>(6)?.parse().ok(),
        made: Made::read(&row.get::<String>(7)?),
        scheduled: row.get(8)?,
    })
}

/// Every snapshot of every volume, whatever its state, the oldest first.
pub fn all(db: &Read<'_>) -> store::Result<Vec<Snapshot>> {
    db.query(&format!("{COLUMNS} ORDER BY created_at, id"), params![], read)
}

/// The snapshots of a volume, whatever their state, the oldest first.
pub fn of_volume(db: &Read<'_>, volume: i64) -> store::Result<Vec<Snapshot>> {
    let order = "ORDER BY created_at, id";
    db.query(&format!("{COLUMNS} WHERE volume_id = ?1 {order}"), params![volume], read)
}

/// The snapshot of that name, whatever its state.
pub fn get(db: &Read<'_>, volume: i64, name: &str) -> store::Result<Option<Snapshot>> {
    let filter = "WHERE volume_id = ?1 AND name = ?2";
    db.query_one(&format!("{COLUMNS} {filter}"), params![volume, name], read)
}

/// Adds a snapshot.
pub fn insert(db: &mut Write<'_>, new: &Snapshot) -> store::Result<()> {
    db.execute(
        "INSERT INTO volumes_snapshots (volume_id, name, description, config, created_at,
             expires_at, state, scheduled)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            new.volume_id,
            new.name,
            new.description,
            json(&new.config),
            new.created_at.to_rfc3339(),
            until(new.expires_at),
            new.made.word(),
            new.scheduled
        ],
    )?;
    Ok(())
}

fn until(end: Option<DateTime<Utc>>) -> String {
    end.map(|end| end.to_rfc3339()).unwrap_or_default()
}

/// Puts a snapshot's editable part in place, as somebody said.
pub fn update(
    db: &mut Write<'_>,
    id: i64,
    description: &str,
    expires_at: Option<DateTime<Utc>>,
) -> store::Result<()> {
    db.execute(
        "UPDATE volumes_snapshots SET description = ?2, expires_at = ?3, scheduled = 0
         WHERE id = ?1",
        params![id, description, until(expires_at)],
    )?;
    Ok(())
}

/// Notes how far it is made.
pub fn set_made(db: &mut Write<'_>, id: i64, made: Made) -> store::Result<()> {
    db.execute("UPDATE volumes_snapshots SET state = ?2 WHERE id = ?1", params![id, made.word()])?;
    Ok(())
}

/// Renames it, as somebody said.
pub fn rename(db: &mut Write<'_>, id: i64, name: &str) -> store::Result<()> {
    let sql = "UPDATE volumes_snapshots SET name = ?2, scheduled = 0 WHERE id = ?1";
    db.execute(sql, params![id, name]).map(drop)
}

/// Deletes the row; an absent one is Ok.
pub fn delete(db: &mut Write<'_>, id: i64) -> store::Result<()> {
    db.execute("DELETE FROM volumes_snapshots WHERE id = ?1", params![id])?;
    Ok(())
}
