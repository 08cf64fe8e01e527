//! Managed networks.

use options::Raw;
use store::{Read, Row, Write, params};

use super::{from_json, instances::Made, json};

/// A managed network as it is stored.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Network {
    /// The row's key.
    pub id: i64,
    /// The project it is in.
    pub project: String,
    /// Unique in its project; also the name of its link.
    pub name: String,
    /// `bridge`.
    pub kind: String,
    /// Free text.
    pub description: String,
    /// The keys that are set, `auto` replaced by what was chosen.
    pub config: Raw,
    /// How far it is made.
    pub made: Made,
}

const COLUMNS: &str = "SELECT networks.id, projects.name, networks.name, networks.type,
    networks.description, networks.config, networks.state
    FROM networks JOIN projects ON projects.id = networks.project_id";

fn read(row: &Row<'_>) -> store::Result<Network> {
    Ok(Network {
        id: row.get(0)?,
        project: row.get(1)?,
        name: row.get(2)?,
        kind: row.get(3)?,
        description: row.get(4)?,
        config: from_json(&row.get::<String>(5)?),
        made: Made::read(&row.get::<String>(6)?),
    })
}

/// All networks of all projects, whatever their state, by project and name.
pub fn all(db: &Read<'_>) -> store::Result<Vec<Network>> {
    db.query(&format!("{COLUMNS} ORDER BY projects.name, networks.name"), params![], read)
}

/// The network of that name, whatever its state.
pub fn get(db: &Read<'_>, project: &str, name: &str) -> store::Result<Option<Network>> {
    db.query_one(
        &format!("{COLUMNS} WHERE projects.name = ?1 AND networks.name = ?2"),
        params![project, name],
        read,
    )
}

/// Adds a network.
pub fn insert(db: &mut Write<'_>, new: &Network) -> store::Result<()> {
    db.execute(
        "INSERT INTO networks (project_id, name, type, description, config, state)
         VALUES ((SELECT id FROM projects WHERE name = ?1), ?2, ?3, ?4, ?5, ?6)",
        params![
            new.project,
            new.name,
            new.kind,
            new.description,
            json(&new.config),
            new.made.word()
        ],
    )?;
    Ok(())
}

/// Puts a network's editable part in place.
pub fn update(db: &mut Write<'_>, id: i64, description: &str, config: &Raw) -> store::Result<()> {
    db.execute(
        "UPDATE networks SET description = ?2, config = ?3 WHERE id = ?1",
        params![id, description, json(config)],
    )?;
    Ok(())
}

/// Notes how far it is made.
pub fn set_made(db: &mut Write<'_>, project: &str, name: &str, made: Made) -> store::Result<()> {
    db.execute(
        "UPDATE networks SET state = ?3 WHERE name = ?2
             AND project_id = (SELECT id FROM projects WHERE name = ?1)",
        params![project, name, made.word()],
    )?;
    Ok(())
}

/// Deletes the row; an absent one is Ok.
pub fn delete(db: &mut Write<'_>, project: &str, name: &str) -> store::Result<()> {
    db.execute(
        "DELETE FROM networks WHERE name = ?2
             AND project_id = (SELECT id FROM projects WHERE name = ?1)",
        params![project, name],
    )?;
    Ok(())
}
