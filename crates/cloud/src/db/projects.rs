//! Projects: the name spaces that separate users.

use options::{Raw, Value};
use store::{Read, Row, Write, params};

use super::{from_json, json};
use crate::names::DEFAULT_PROJECT;

/// A name space.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Project {
    /// The row's key.
    pub id: i64,
    /// Unique.
    pub name: String,
    /// Free text.
    pub description: String,
    /// The keys that are set.
    pub config: Raw,
}

impl Project {
    /// The project that `feature` (such as `features.images`) is read from: its own, or `default`.
    pub fn home_of(&self, feature: &str) -> &str {
        match self.config.get(feature) {
            _ if self.name == DEFAULT_PROJECT => DEFAULT_PROJECT,
            Some(text) if <bool as Value>::parse(text) == Ok(true) => &self.name,
            _ => DEFAULT_PROJECT,
        }
    }
}

const COLUMNS: &str = "SELECT id, name, description, config FROM projects";

fn read(row: &Row<'_>) -> store::Result<Project> {
    Ok(Project {
        id: row.get(0)?,
        name: row.get(1)?,
        description: row.get(2)?,
        config: from_json(&row.get::<String>(3)?),
    })
}

/// All projects, by name.
pub fn all(db: &Read<'_>) -> store::Result<Vec<Project>> {
    db.query(&format!("{COLUMNS} ORDER BY name"), params![], read)
}

/// The project of that name.
pub fn get(db: &Read<'_>, name: &str) -> store::Result<Option<Project>> {
    db.query_one(&format!("{COLUMNS} WHERE name = ?1"), params![name], read)
}

/// Adds a project.
pub fn insert(
    db: &mut Write<'_>,
    name: &str,
    description: &str,
    config: &Raw,
) -> store::Result<()> {
    db.execute(
        "INSERT INTO projects (name, description, config) VALUES (?1, ?2, ?3)",
        params![name, description, json(config)],
    )?;
    Ok(())
}

/// Puts a project's editable part in place.
pub fn update(db: &mut Write<'_>, id: i64, description: &str, config: &Raw) -> store::Result<()> {
    db.execute(
        "UPDATE projects SET description = ?2, config = ?3 WHERE id = ?1",
        params![id, description, json(config)],
    )?;
    Ok(())
}

/// Renames a project.
pub fn rename(db: &mut Write<'_>, id: i64, name: &str) -> store::Result<()> {
    db.execute("UPDATE projects SET name = ?2 WHERE id = ?1", params![id, name])?;
    Ok(())
}

/// Deletes a project.
pub fn delete(db: &mut Write<'_>, id: i64) -> store::Result<()> {
    db.execute("DELETE FROM projects WHERE id = ?1", params![id])?;
    Ok(())
}
