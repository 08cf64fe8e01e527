//! Instances: one row each, with the profiles they have in order.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use options::{Raw, device::Devices};
use store::{Read, Row, Write, params};

use super::{from_json, json};

/// How far a thing made in several steps has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Made {
    /// A task is making it, or died making it.
    Creating,
    /// It is whole.
    Ready,
    /// A task is deleting it, or died deleting it.
    Deleting,
}

impl Made {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Made::Creating => "creating",
            Made::Ready => "ready",
            Made::Deleting => "deleting",
        }
    }

    pub(crate) fn read(word: &str) -> Made {
        match word {
            "ready" => Made::Ready,
            "deleting" => Made::Deleting,
            _ => Made::Creating,
        }
    }
}

/// An instance as it is stored.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Instance {
    /// The row's key.
    pub id: i64,
    /// The project it is in.
    pub project: String,
    /// Unique in its project.
    pub name: String,
    /// `container` or `virtual-machine`.
    pub kind: String,
    /// LXD's name of its CPU architecture.
    pub architecture: String,
    /// The member that has it.
    pub member: String,
    /// Free text.
    pub description: String,
    /// Its own options, `volatile.*` among them.
    pub config: Raw,
    /// Its own devices.
    pub devices: Devices,
    /// Its profiles, the last one wins.
    pub profiles: Vec<String>,
    /// Deleted when it stops.
    pub ephemeral: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was started last; the epoch if never.
    pub last_used_at: DateTime<Utc>,
    /// How far it is made.
    pub made: Made,
    /// Whether its memory is kept on disk: its next start goes on from there.
    #[serde(default)]
    pub stateful: bool,
}

const COLUMNS: &str = "SELECT instances.id, projects.name, instances.name, instances.type,
    instances.architecture, members.name, instances.description, instances.config,
    instances.devices, instances.ephemeral, instances.created_at, instances.last_used_at,
    instances.state, instances.stateful
    FROM instances JOIN projects ON projects.id = instances.project_id
    JOIN members ON members.id = instances.member_id";

fn read(row: &Row<'_>) -> store::Result<Instance> {
    Ok(Instance {
        id: row.get(0)?,
        project: row.get(1)?,
        name: row.get(2)?,
        kind: row.get(3)?,
        architecture: row.get(4)?,
        member: row.get(5)?,
        description: row.get(6)?,
        config: from_json(&row.get::<String>(7)?),
        devices: from_json(&row.get::<String>(8)?),
        profiles: Vec::new(),
        ephemeral: row.get::<i64>(9)? != 0,
        created_at: row.get::<String>(10)?.parse().unwrap_or_default(),
        last_used_at: row.get::<String>(11)?.parse().unwrap_or_default(),
        made: Made::read(&row.get::<String>(12)?),
        stateful: row.get::<i64>(13)? != 0,
    })
}

/// Every instance of every project, whatever its state, by project and name.
pub fn all(db: &Read<'_>) -> store::Result<Vec<Instance>> {
    those(db, "true", params![])
}

/// The same on a member.
pub fn on(db: &Read<'_>, member: &str) -> store::Result<Vec<Instance>> {
    let on = "instances.member_id = (SELECT id FROM members WHERE name = ?1)";
    those(db, on, params![member])
}

/// Projects and names of all that are made, in this order.
pub fn names(db: &Read<'_>) -> store::Result<Vec<(String, String)>> {
    let sql = "SELECT projects.name, instances.name, instances.state
        FROM instances JOIN projects ON projects.id = instances.project_id
        ORDER BY projects.name, instances.name";
    let read = |row: &Row<'_>| {
        let made = Made::read(&row.get::<String>(2)?) == Made::Ready;
        Ok(made.then_some((row.get(0)?, row.get(1)?)))
    };
    Ok(db.query(sql, params![], read)?.into_iter().flatten().collect())
}

fn those(db: &Read<'_>, wanted: &str, values: &[store::Value]) -> store::Result<Vec<Instance>> {
    let rows = format!("{COLUMNS} WHERE {wanted}");
    let mut found = db.query(&rows, values, read)?;
    // SQLite sorts rows as long as these in a file, once there are thousands.
    found.sort_by(|one, other| (&one.project, &one.name).cmp(&(&other.project, &other.name)));
    let pairs = format!(
        "SELECT instances.id, profiles.name FROM instances
         JOIN instances_profiles ON instances_profiles.instance_id = instances.id
         JOIN profiles ON profiles.id = instances_profiles.profile_id
         WHERE {wanted} ORDER BY instances.id, instances_profiles.position"
    );
    let pairs = db.query(&pairs, values, |row| Ok((row.get::<i64>(0)?, row.get::<String>(1)?)))?;
    let mut profiles: HashMap<i64, Vec<String>> = HashMap::new();
    for (instance, profile) in pairs {
        profiles.entry(instance).or_default().push(profile);
    }
    for instance in &mut found {
        instance.profiles = profiles.remove(&instance.id).unwrap_or_default();
    }
    Ok(found)
}

/// How many each member has.
pub fn counts(db: &Read<'_>) -> store::Result<HashMap<store::MemberId, usize>> {
    let sql = "SELECT member_id, count(*) FROM instances GROUP BY member_id";
    let pairs = db.query(sql, params![], |row| {
        Ok((row.get(0)?, usize::try_from(row.get::<i64>(1)?).unwrap_or(0)))
    })?;
    Ok(pairs.into_iter().collect())
}

/// The instance of that name, whatever its state.
pub fn get(db: &Read<'_>, project: &str, name: &str) -> store::Result<Option<Instance>> {
    let sql = format!("{COLUMNS} WHERE projects.name = ?1 AND instances.name = ?2");
    let found = db.query_one(&sql, params![project, name], read)?;
    found.map(|instance| with_profiles(db, instance)).transpose()
}

/// The instance of that key, whatever its state.
pub fn by_id(db: &Read<'_>, id: i64) -> store::Result<Option<Instance>> {
    let found = db.query_one(&format!("{COLUMNS} WHERE instances.id = ?1"), params![id], read)?;
    found.map(|instance| with_profiles(db, instance)).transpose()
}

fn with_profiles(db: &Read<'_>, mut instance: Instance) -> store::Result<Instance> {
    instance.profiles = db.query(
        "SELECT profiles.name FROM instances_profiles
         JOIN profiles ON profiles.id = instances_profiles.profile_id
         WHERE instances_profiles.instance_id = ?1 ORDER BY instances_profiles.position",
        params![instance.id],
        |row| row.get(0),
    )?;
    Ok(instance)
}

/// Adds an instance with its profiles, which live in `profile_project`.
pub fn insert(db: &mut Write<'_>, new: &Instance, profile_project: &str) -> store::Result<()> {
    db.execute(
        "INSERT INTO instances (project_id, member_id, name, type, architecture, description,
             config, devices, ephemeral, stateful, created_at, last_used_at, state)
         VALUES ((SELECT id FROM projects WHERE name = ?1),
             (SELECT id FROM members WHERE name = ?2), ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, ?10, ?11, ?12)",
        params![
            new.project,
            new.member,
            new.name,
            new.kind,
            new.architecture,
            new.description,
            json(&new.config),
            json(&new.devices),
            i64::from(new.ephemeral),
            new.created_at.to_rfc3339(),
            new.last_used_at.to_rfc3339(),
            new.made.word()
        ],
    )?;
    set_profiles(db, &new.project, &new.name, &new.profiles, profile_project)
}

/// Puts an instance's editable part in place, its profiles too.
pub fn update(db: &mut Write<'_>, new: &Instance, profile_project: &str) -> store::Result<()> {
    db.execute(
        "UPDATE instances SET description = ?2, config = ?3, devices = ?4, ephemeral = ?5,
             architecture = ?6 WHERE id = ?1",
        params![
            new.id,
            new.description,
            json(&new.config),
            json(&new.devices),
            i64::from(new.ephemeral),
            new.architecture
        ],
    )?;
    db.execute("DELETE FROM instances_profiles WHERE instance_id = ?1", params![new.id])?;
    set_profiles(db, &new.project, &new.name, &new.profiles, profile_project)
}

fn set_profiles(
    db: &mut Write<'_>,
    project: &str,
    name: &str,
    profiles: &[String],
    profile_project: &str,
) -> store::Result<()> {
    for (position, profile) in profiles.iter().enumerate() {
        db.execute(
            "INSERT INTO instances_profiles (instance_id, profile_id, position) VALUES (
                 (SELECT instances.id FROM instances JOIN projects
                  ON projects.id = instances.project_id
                  WHERE projects.name = ?1 AND instances.name = ?2),
                 (SELECT profiles.id FROM profiles JOIN projects
                  ON projects.id = profiles.project_id
                  WHERE projects.name = ?3 AND profiles.name = ?4), ?5)",
            params![project, name, profile_project, profile, position as i64],
        )?;
    }
    Ok(())
}

/// Keeps only an instance's own options: what a start or stop writes.
pub fn set_config(db: &mut Write<'_>, id: i64, config: &Raw) -> store::Result<()> {
    db.execute("UPDATE instances SET config = ?2 WHERE id = ?1", params![id, json(config)])?;
    Ok(())
}

/// Keeps only an instance's own devices: what follows the rename of a volume.
pub fn set_devices(db: &mut Write<'_>, id: i64, devices: &Devices) -> store::Result<()> {
    db.execute("UPDATE instances SET devices = ?2 WHERE id = ?1", params![id, json(devices)])?;
    Ok(())
}

/// Notes when it was started.
pub fn set_last_used(db: &mut Write<'_>, id: i64, now: DateTime<Utc>) -> store::Result<()> {
    db.execute(
        "UPDATE instances SET last_used_at = ?2 WHERE id = ?1",
        params![id, now.to_rfc3339()],
    )?;
    Ok(())
}

/// Notes whether its memory is kept on disk.
pub fn set_stateful(db: &mut Write<'_>, id: i64, stateful: bool) -> store::Result<()> {
    let stateful = i64::from(stateful);
    db.execute("UPDATE instances SET stateful = ?2 WHERE id = ?1", params![id, stateful])?;
    Ok(())
}

/// Notes how far it is made.
pub fn set_made(db: &mut Write<'_>, project: &str, name: &str, made: Made) -> store::Result<()> {
    db.execute(
        "UPDATE instances SET state = ?3 WHERE name = ?2
             AND project_id = (SELECT id FROM projects WHERE name = ?1)",
        params![project, name, made.word()],
    )?;
    Ok(())
}

/// Renames it.
pub fn rename(db: &mut Write<'_>, id: i64, name: &str) -> store::Result<()> {
    db.execute("UPDATE instances SET name = ?2 WHERE id = ?1", params![id, name])?;
    Ok(())
}

/// Gives it another project and name.
pub fn relocate(db: &mut Write<'_>, id: i64, project: &str, name: &str) -> store::Result<()> {
    db.execute(
        "UPDATE instances SET name = ?3,
             project_id = (SELECT id FROM projects WHERE name = ?2) WHERE id = ?1",
        params![id, project, name],
    )?;
    Ok(())
}

/// Gives it to the member of that number.
pub fn set_member(db: &mut Write<'_>, id: i64, member: store::MemberId) -> store::Result<()> {
    db.execute("UPDATE instances SET member_id = ?2 WHERE id = ?1", params![id, member])?;
    Ok(())
}

/// Deletes the row; an absent one is Ok.
pub fn delete(db: &mut Write<'_>, project: &str, name: &str) -> store::Result<()> {
    db.execute(
        "DELETE FROM instances WHERE name = ?2
             AND project_id = (SELECT id FROM projects WHERE name = ?1)",
        params![project, name],
    )?;
    Ok(())
}
