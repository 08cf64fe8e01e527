//! Volumes: the roots of instances, and custom ones.

use chrono::{DateTime, Utc};
use options::Raw;
use store::{Read, Row, Write, params};

use super::{from_json, instances::Made, json};

/// A volume as it is stored.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Volume {
    /// The row's key.
    pub id: i64,
    /// Its pool.
    pub pool: String,
    /// The project it is in.
    pub project: String,
    /// The member that has it.
    pub member: String,
    /// `container`, `virtual-machine` or `custom`.
    pub kind: String,
    /// Unique among its kind in pool and project.
    pub name: String,
    /// `filesystem`, `block` or `iso`.
    pub content: String,
    /// Free text.
    pub description: String,
    /// The keys that are set.
    pub config: Raw,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// How far it is made.
    pub made: Made,
}

const COLUMNS: &str = "SELECT volumes.id, storage_pools.name, projects.name, members.name,
    volumes.type, volumes.name, volumes.content_type, volumes.description, volumes.config,
    volumes.created_at, volumes.state
    FROM volumes JOIN storage_pools ON storage_pools.id = volumes.pool_id
    JOIN projects ON projects.id = volumes.project_id
    JOIN members ON members.id = volumes.member_id";

fn read(row: &Row<'_>) -> store::Result<Volume> {
    Ok(Volume {
        id: row.get(0)?,
        pool: row.get(1)?,
        project: row.get(2)?,
        member: row.get(3)?,
        kind: row.get(4)?,
        name: row.get(5)?,
        content: row.get(6)?,
        description: row.get(7)?,
        config: from_json(&row.get::<String>(8)?),
        created_at: row.get::<String>(9)?.parse().unwrap_or_default(),
        made: Made::read(&row.get::<String>(10)?),
    })
}

/// All volumes of a pool, by project, kind and name.
pub fn of_pool(db: &Read<'_>, pool: &str) -> store::Result<Vec<Volume>> {
    db.query(
        &format!(
            "{COLUMNS} WHERE storage_pools.name = ?1
             ORDER BY projects.name, volumes.type, volumes.name"
        ),
        params![pool],
        read,
    )
}

/// The volume of an instance, in whatever pool.
pub fn of_instance(
    db: &Read<'_>,
    project: &str,
    kind: &str,
    name: &str,
) -> store::Result<Option<Volume>> {
    db.query_one(
        &format!("{COLUMNS} WHERE projects.name = ?1 AND volumes.type = ?2 AND volumes.name = ?3"),
        params![project, kind, name],
        read,
    )
}

/// The custom volumes of all pools and projects, whatever their state.
pub fn custom(db: &Read<'_>) -> store::Result<Vec<Volume>> {
    let order = "ORDER BY storage_pools.name, projects.name, volumes.name";
    db.query(&format!("{COLUMNS} WHERE volumes.type = 'custom' {order}"), params![], read)
}

/// The custom volume of that name, whatever its state.
pub fn get(db: &Read<'_>, pool: &str, project: &str, name: &str) -> store::Result<Option<Volume>> {
    db.query_one(
        &format!(
            "{COLUMNS} WHERE storage_pools.name = ?1 AND projects.name = ?2
             AND volumes.type = 'custom' AND volumes.name = ?3
             ORDER BY volumes.member_id = ?4 DESC"
        ),
        params![pool, project, name, db.me()],
        read,
    )
}

/// Adds a volume.
pub fn insert(db: &mut Write<'_>, new: &Volume) -> store::Result<()> {
    db.execute(
        "INSERT INTO volumes (pool_id, project_id, member_id, type, name, content_type,
             description, config, created_at, state)
         VALUES ((SELECT id FROM storage_pools WHERE name = ?1),
             (SELECT id FROM projects WHERE name = ?2), (SELECT id FROM members WHERE name = ?3),
             ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            new.pool,
            new.project,
            new.member,
            new.kind,
            new.name,
            new.content,
            new.description,
            json(&new.config),
            new.created_at.to_rfc3339(),
            new.made.word()
        ],
    )?;
    Ok(())
}

/// Puts a volume's editable part in place.
pub fn update(db: &mut Write<'_>, id: i64, description: &str, config: &Raw) -> store::Result<()> {
    db.execute(
        "UPDATE volumes SET description = ?2, config = ?3 WHERE id = ?1",
        params![id, description, json(config)],
    )?;
    Ok(())
}

/// Notes how far it is made.
pub fn set_made(db: &mut Write<'_>, id: i64, made: Made) -> store::Result<()> {
    db.execute("UPDATE volumes SET state = ?2 WHERE id = ?1", params![id, made.word()])?;
    Ok(())
}

/// Renames a volume.
pub fn rename(db: &mut Write<'_>, id: i64, name: &str) -> store::Result<()> {
    db.execute("UPDATE volumes SET name = ?2 WHERE id = ?1", params![id, name])?;
    Ok(())
}

/// Gives a volume another pool, project and name.
pub fn relocate(
    db: &mut Write<'_>,
    id: i64,
    pool: &str,
    project: &str,
    name: &str,
) -> store::Result<()> {
    db.execute(
        "UPDATE volumes SET name = ?4, pool_id = (SELECT id FROM storage_pools WHERE name = ?2),
             project_id = (SELECT id FROM projects WHERE name = ?3) WHERE id = ?1",
        params![id, pool, project, name],
    )?;
    Ok(())
}

/// Gives a volume to the member of that number.
pub fn set_member(db: &mut Write<'_>, id: i64, member: store::MemberId) -> store::Result<()> {
    db.execute("UPDATE volumes SET member_id = ?2 WHERE id = ?1", params![id, member])?;
    Ok(())
}

/// Deletes the row of an instance's volume; an absent one is Ok.
pub fn delete(db: &mut Write<'_>, project: &str, kind: &str, name: &str) -> store::Result<()> {
    db.execute(
        "DELETE FROM volumes WHERE type = ?2 AND name = ?3
             AND project_id = (SELECT id FROM projects WHERE name = ?1)",
        params![project, kind, name],
    )?;
    Ok(())
}

/// Deletes the row of a volume, and of its snapshots; an absent one is Ok.
pub fn remove(db: &mut Write<'_>, id: i64) -> store::Result<()> {
    db.execute("DELETE FROM volumes WHERE id = ?1", params![id])?;
    Ok(())
}
