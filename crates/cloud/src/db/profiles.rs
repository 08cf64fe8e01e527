//! Profiles: configuration and devices that instances share.

use options::{Raw, device::Devices};
use serde::{Deserialize, Serialize};
use store::{Read, Row, Write, params};

use super::{from_json, json};

/// Configuration and devices that instances share.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Profile {
    /// The row's key.
    pub id: i64,
    /// The project it is in.
    pub project: String,
    /// Unique in its project.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Instance options.
    pub config: Raw,
    /// Devices by name.
    pub devices: Devices,
}

const COLUMNS: &str = "SELECT profiles.id, projects.name, profiles.name, profiles.description,
    profiles.config, profiles.devices
    FROM profiles JOIN projects ON projects.id = profiles.project_id";

fn read(row: &Row<'_>) -> store::Result<Profile> {
    Ok(Profile {
        id: row.get(0)?,
        project: row.get(1)?,
        name: row.get(2)?,
        description: row.get(3)?,
        config: from_json(&row.get::<String>(4)?),
        devices: from_json(&row.get::<String>(5)?),
    })
}

/// All profiles of all projects, by project and name.
pub fn all(db: &Read<'_>) -> store::Result<Vec<Profile>> {
    db.query(&format!("{COLUMNS} ORDER BY projects.name, profiles.name"), params![], read)
}

/// The profile of that name.
pub fn get(db: &Read<'_>, project: &str, name: &str) -> store::Result<Option<Profile>> {
    db.query_one(
        &format!("{COLUMNS} WHERE projects.name = ?1 AND profiles.name = ?2"),
        params![project, name],
        read,
    )
}

/// Adds a profile.
pub fn insert(
    db: &mut Write<'_>,
    project: &str,
    name: &str,
    description: &str,
    config: &Raw,
    devices: &Devices,
) -> store::Result<()> {
    db.execute(
        "INSERT INTO profiles (project_id, name, description, config, devices)
         VALUES ((SELECT id FROM projects WHERE name = ?1), ?2, ?3, ?4, ?5)",
        params![project, name, description, json(config), json(devices)],
    )?;
    Ok(())
}

/// Puts a profile's editable part in place.
pub fn update(
    db: &mut Write<'_>,
    id: i64,
    description: &str,
    config: &Raw,
    devices: &Devices,
) -> store::Result<()> {
    db.execute(
        "UPDATE profiles SET description = ?2, config = ?3, devices = ?4 WHERE id = ?1",
        params![id, description, json(config), json(devices)],
    )?;
    Ok(())
}

/// Renames a profile; instances follow, as they refer to the row.
pub fn rename(db: &mut Write<'_>, id: i64, name: &str) -> store::Result<()> {
    db.execute("UPDATE profiles SET name = ?2 WHERE id = ?1", params![id, name])?;
    Ok(())
}

/// Deletes a profile; fails while an instance has it.
pub fn delete(db: &mut Write<'_>, id: i64) -> store::Result<()> {
    db.execute("DELETE FROM profiles WHERE id = ?1", params![id])?;
    Ok(())
}

/// Who has which profile: (profile's row, instance's project, instance's name).
pub fn users(db: &Read<'_>) -> store::Result<Vec<(i64, String, String)>> {
    db.query(
        "SELECT instances_profiles.profile_id, projects.name, instances.name FROM instances_profiles
         JOIN instances ON instances.id = instances_profiles.instance_id
         JOIN projects ON projects.id = instances.project_id
         ORDER BY projects.name, instances.name",
        params![],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )
}
