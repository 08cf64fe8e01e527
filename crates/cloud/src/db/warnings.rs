//! Warnings: what members could not do as asked.

use chrono::{DateTime, Utc};
use store::{Read, Row, Write, params};

/// A warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The row's key.
    pub uuid: String,
    /// The member that could not.
    pub member: String,
    /// The project of what it is about; empty where that has none.
    pub project: String,
    /// The address of what it is about; empty: the member itself.
    pub entity: String,
    /// What kind of trouble, as clients are told.
    pub kind: String,
    /// `new`, `acknowledged` or `resolved`.
    pub status: String,
    /// How often it came.
    pub count: i64,
    /// When it first came.
    pub first_seen_at: DateTime<Utc>,
    /// When it last came.
    pub last_seen_at: DateTime<Utc>,
    /// When its status last changed.
    pub updated_at: DateTime<Utc>,
    /// What was said the last time.
    pub message: String,
}

const COLUMNS: &str = "SELECT uuid, member, project, entity, type, status, count, first_seen_at,
    last_seen_at, updated_at, message FROM warnings";

fn moment(text: &str) -> DateTime<Utc> {
    text.parse().unwrap_or_default()
}

fn read(row: &Row<'_>) -> store::Result<Warning> {
    Ok(Warning {
        uuid: row.get(0)?,
        member: row.get(1)?,
        project: row.get(2)?,
        entity: row.get(3)?,
        kind: row.get(4)?,
        status: row.get(5)?,
        count: row.get(6)?,
        first_seen_at: moment(&row.get::<String>(7)?),
        last_seen_at: moment(&row.get::<String>(8)?),
        updated_at: moment(&row.get::<String>(9)?),
        message: row.get(10)?,
    })
}

/// All of them, the oldest first.
pub fn all(db: &Read<'_>) -> store::Result<Vec<Warning>> {
    db.query(&format!("{COLUMNS} ORDER BY first_seen_at, uuid"), params![], read)
}

/// The one with that id.
pub fn get(db: &Read<'_>, uuid: &str) -> store::Result<Option<Warning>> {
    db.query_one(&format!("{COLUMNS} WHERE uuid = ?1"), params![uuid], read)
}

/// Adds one, or puts it in the place of the row that it was.
pub fn put(db: &mut Write<'_>, new: &Warning) -> store::Result<()> {
    db.execute(
        "INSERT INTO warnings (uuid, member, project, entity, type, status, count, first_seen_at,
            last_seen_at, updated_at, message)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
            ON CONFLICT (uuid) DO UPDATE SET status = excluded.status, count = excluded.count,
            last_seen_at = excluded.last_seen_at, updated_at = excluded.updated_at,
            message = excluded.message",
        params![
            new.uuid,
            new.member,
            new.project,
            new.entity,
            new.kind,
            new.status,
            new.count,
            new.first_seen_at.to_rfc3339(),
            new.last_seen_at.to_rfc3339(),
            new.updated_at.to_rfc3339(),
            new.message
        ],
    )?;
    Ok(())
}

/// Deletes one.
pub fn delete(db: &mut Write<'_>, uuid: &str) -> store::Result<()> {
    db.execute("DELETE FROM warnings WHERE uuid = ?1", params![uuid])?;
    Ok(())
}
