//! The members of the cloud: one row a machine.

use chrono::{DateTime, Utc};
use store::{Read, Row, Write, params};

/// A machine of the cloud.
#[derive(Clone, Debug)]
pub struct Member {
    /// The row's key.
    pub id: i64,
    /// Unique; the host name of a machine that is alone.
    pub name: String,
    /// LXD's name of the CPU architecture, such as `x86_64`.
    pub architecture: String,
}

const COLUMNS: &str = "SELECT id, name, architecture FROM members";

fn read(row: &Row<'_>) -> store::Result<Member> {
    Ok(Member { id: row.get(0)?, name: row.get(1)?, architecture: row.get(2)? })
}

/// All members, by name.
pub fn all(db: &Read<'_>) -> store::Result<Vec<Member>> {
    db.query(&format!("{COLUMNS} ORDER BY name"), params![], read)
}

/// Adds the first member.
pub fn insert(
    db: &mut Write<'_>,
    name: &str,
    architecture: &str,
    now: DateTime<Utc>,
) -> store::Result<()> {
    db.execute(
        "INSERT INTO members (name, address, architecture, created_at) VALUES (?1, '', ?2, ?3)",
        params![name, architecture, now.to_rfc3339()],
    )?;
    Ok(())
}
