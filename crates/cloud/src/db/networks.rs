//! Managed networks: what all members share of one, and what each member has of it alone.

use options::{Options, Raw, network::BridgeOptions};
use store::{MemberId, Read, Row, Write, params};

use super::{from_json, instances::Made, json};

/// A managed network as this member has it.
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
    /// The keys that are set, this member's own among them; `auto` replaced by what was chosen.
    pub config: Raw,
    /// How far it is made.
    pub made: Made,
}

const COLUMNS: &str = "SELECT networks.id, projects.name, networks.name, networks.type,
    networks.description, networks.config, networks.state, coalesce(own.config, '{}')
    FROM networks JOIN projects ON projects.id = networks.project_id
    LEFT JOIN networks_members AS own ON own.network_id = networks.id AND own.member_id = ?1";

fn read(row: &Row<'_>) -> store::Result<Network> {
    let mut config: Raw = from_json(&row.get::<String>(5)?);
    config.merge(&from_json(&row.get::<String>(7)?));
    Ok(Network {
        id: row.get(0)?,
        project: row.get(1)?,
        name: row.get(2)?,
        kind: row.get(3)?,
        description: row.get(4)?,
        config,
        made: Made::read(&row.get::<String>(6)?),
    })
}

/// What all members share of a configuration, and what one has alone.
pub fn parts(config: &Raw) -> (Raw, Raw) {
    let is_local = |key: &str| BridgeOptions::TABLE.is_local(key);
    let shared = config.iter().filter(|(key, _)| !is_local(key)).collect();
    (shared, config.iter().filter(|(key, _)| is_local(key)).collect())
}

/// All networks of all projects, whatever their state, by project and name.
pub fn all(db: &Read<'_>) -> store::Result<Vec<Network>> {
    db.query(&format!("{COLUMNS} ORDER BY projects.name, networks.name"), params![db.me()], read)
}

/// The network of that name, whatever its state.
pub fn get(db: &Read<'_>, project: &str, name: &str) -> store::Result<Option<Network>> {
    db.query_one(
        &format!("{COLUMNS} WHERE projects.name = ?2 AND networks.name = ?3"),
        params![db.me(), project, name],
        read,
    )
}

/// Adds a network, with what members were told of it.
pub fn insert(db: &mut Write<'_>, new: &Network) -> store::Result<()> {
    let (shared, local) = parts(&new.config);
    db.execute(
        "INSERT INTO networks (project_id, name, type, description, config, state)
         VALUES ((SELECT id FROM projects WHERE name = ?1), ?2, ?3, ?4, ?5, ?6)",
        params![new.project, new.name, new.kind, new.description, json(&shared), new.made.word()],
    )?;
    for (member, told) in promised(db, &new.name)? {
        set_local(db, &new.name, member, &told)?;
    }
    let me = db.me();
    set_local(db, &new.name, me, &local)
}

/// Puts in place what a member has of a network. A network's name is there once, as it is that of a link.
pub fn set_local(
    db: &mut Write<'_>,
    name: &str,
    member: MemberId,
    local: &Raw,
) -> store::Result<()> {
    db.execute(
        "INSERT OR REPLACE INTO networks_members (network_id, member_id, config)
             SELECT id, ?2, ?3 FROM networks WHERE name = ?1",
        params![name, member, json(local)],
    )?;
    Ok(())
}

/// What members were told of a network that is not made yet.
pub fn promised(db: &Read<'_>, name: &str) -> store::Result<Vec<(MemberId, Raw)>> {
    let sql = "SELECT member_id, config FROM networks_promised WHERE name = ?1 ORDER BY member_id";
    db.query(sql, params![name], |row| Ok((row.get(0)?, from_json(&row.get::<String>(1)?))))
}

/// The networks of which members were told, and the names of these members.
pub fn all_promised(db: &Read<'_>) -> store::Result<Vec<(String, String)>> {
    let sql = "SELECT networks_promised.name, members.name FROM networks_promised
        JOIN members ON members.id = member_id ORDER BY networks_promised.name, members.name";
    db.query(sql, params![], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Tells a member what a network is to be there.
pub fn promise(db: &mut Write<'_>, name: &str, member: MemberId, local: &Raw) -> store::Result<()> {
    db.execute(
        "INSERT OR REPLACE INTO networks_promised (name, member_id, config) VALUES (?1, ?2, ?3)",
        params![name, member, json(local)],
    )?;
    Ok(())
}

/// Forgets what members were told of a network: it is made, or is not to be.
pub fn unpromise(db: &mut Write<'_>, name: &str) -> store::Result<()> {
    db.execute("DELETE FROM networks_promised WHERE name = ?1", params![name])?;
    Ok(())
}

/// Puts a network's editable part in place.
pub fn update(db: &mut Write<'_>, id: i64, description: &str, config: &Raw) -> store::Result<()> {
    let (shared, local) = parts(config);
    db.execute(
        "UPDATE networks SET description = ?2, config = ?3 WHERE id = ?1",
        params![id, description, json(&shared)],
    )?;
    let me = db.me();
    db.execute(
        "INSERT OR REPLACE INTO networks_members (network_id, member_id, config) VALUES (?1, ?2, ?3)",
        params![id, me, json(&local)],
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

/// Gives a network another name.
pub fn rename(db: &mut Write<'_>, id: i64, name: &str) -> store::Result<()> {
    db.execute("UPDATE networks SET name = ?2 WHERE id = ?1", params![id, name])?;
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
