//! Snapshots of instances: what each was when it was taken.

use chrono::{DateTime, Utc};
use options::{Raw, device::Devices};
use store::{Read, Row, Write, params};

use super::{
    from_json,
    instances::{Instance, Made},
    json,
};

/// A snapshot as it is stored.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Snapshot {
    /// The row's key.
    pub id: i64,
    /// The key of its instance's row.
    pub instance_id: i64,
    /// Unique in its instance.
    pub name: String,
    /// The instance's free text then.
    pub description: String,
    /// The instance's architecture then.
    pub architecture: String,
    /// The instance's own options then, `volatile.*` among them.
    pub config: Raw,
    /// The instance's own devices then.
    pub devices: Devices,
    /// The instance's profiles then; they may be gone.
    pub profiles: Vec<String>,
    /// Whether the instance was deleted when it stops.
    pub ephemeral: bool,
    /// Whether it holds the run-time state.
    pub stateful: bool,
    /// When it was taken.
    pub created_at: DateTime<Utc>,
    /// When the instance had been started last.
    pub last_used_at: DateTime<Utc>,
    /// When it is deleted by itself; `None` is never.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether a schedule took it, and nobody has changed it since.
    #[serde(default)]
    pub scheduled: bool,
    /// How far it is made.
    pub made: Made,
}

impl Snapshot {
    /// The instance as it was.
    pub(crate) fn instance(&self, now: &Instance) -> Instance {
        Instance {
            description: self.description.clone(),
            architecture: self.architecture.clone(),
            config: self.config.clone(),
            devices: self.devices.clone(),
            profiles: self.profiles.clone(),
            ephemeral: self.ephemeral,
            ..now.clone()
        }
    }
}

const COLUMNS: &str = "SELECT id, instance_id, name, description, architecture, config, devices,
    profiles, ephemeral, stateful, created_at, last_used_at, expires_at, state, scheduled
    FROM instances_snapshots";

fn read(row: &Row<'_>) -> store::Result<Snapshot> {
    Ok(Snapshot {
        id: row.get(0)?,
        instance_id: row.get(1)?,
        name: row.get(2)?,
        description: row.get(3)?,
        architecture: row.get(4)?,
        config: from_json(&row.get::<String>(5)?),
        devices: from_json(&row.get::<String>(6)?),
        profiles: from_json(&row.get::<String>(7)?),
        ephemeral: row.get(8)?,
        stateful: row.get(9)?,
        created_at: row.get::<String>(10)?.parse().unwrap_or_default(),
        last_used_at: row.get::<String>(11)?.parse().unwrap_or_default(),
        expires_at: row.get::<String>(12)?.parse().ok(),
        made: Made::read(&row.get::<String>(13)?),
        scheduled: row.get(14)?,
    })
}

/// Every snapshot of every instance, whatever its state, the oldest first.
pub fn all(db: &Read<'_>) -> store::Result<Vec<Snapshot>> {
    db.query(&format!("{COLUMNS} ORDER BY instance_id, created_at, id"), params![], read)
}

/// The snapshots of an instance, whatever their state, the oldest first.
pub fn of_instance(db: &Read<'_>, instance: i64) -> store::Result<Vec<Snapshot>> {
    db.query(
        &format!("{COLUMNS} WHERE instance_id = ?1 ORDER BY created_at, id"),
        params![instance],
        read,
    )
}

/// The snapshot of that name, whatever its state.
pub fn get(db: &Read<'_>, instance: i64, name: &str) -> store::Result<Option<Snapshot>> {
    db.query_one(
        &format!("{COLUMNS} WHERE instance_id = ?1 AND name = ?2"),
        params![instance, name],
        read,
    )
}

fn moment(time: Option<DateTime<Utc>>) -> String {
    time.map(|time| time.to_rfc3339()).unwrap_or_default()
}

/// Adds a snapshot.
pub fn insert(db: &mut Write<'_>, new: &Snapshot) -> store::Result<()> {
    db.execute(
        "INSERT INTO instances_snapshots (instance_id, name, description, architecture, config,
             devices, profiles, ephemeral, stateful, created_at, last_used_at, expires_at, state,
             scheduled)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        params![
            new.instance_id,
            new.name,
            new.description,
            new.architecture,
            json(&new.config),
            json(&new.devices),
            json(&new.profiles),
            new.ephemeral,
            new.stateful,
            new.created_at.to_rfc3339(),
            new.last_used_at.to_rfc3339(),
            moment(new.expires_at),
            new.made.word(),
            new.scheduled
        ],
    )?;
    Ok(())
}

/// Notes how far it is made.
pub fn set_made(db: &mut Write<'_>, id: i64, made: Made) -> store::Result<()> {
    let sql = "UPDATE instances_snapshots SET state = ?2 WHERE id = ?1";
    db.execute(sql, params![id, made.word()]).map(drop)
}

/// Notes when it is to be deleted by itself, as somebody said.
pub fn set_expiry(db: &mut Write<'_>, id: i64, time: Option<DateTime<Utc>>) -> store::Result<()> {
    let sql = "UPDATE instances_snapshots SET expires_at = ?2, scheduled = 0 WHERE id = ?1";
    db.execute(sql, params![id, moment(time)]).map(drop)
}

/// Puts its devices in place.
pub fn set_devices(db: &mut Write<'_>, id: i64, devices: &Devices) -> store::Result<()> {
    let sql = "UPDATE instances_snapshots SET devices = ?2 WHERE id = ?1";
    db.execute(sql, params![id, json(devices)]).map(drop)
}

/// Renames it, as somebody said.
pub fn rename(db: &mut Write<'_>, id: i64, name: &str) -> store::Result<()> {
    let sql = "UPDATE instances_snapshots SET name = ?2, scheduled = 0 WHERE id = ?1";
    db.execute(sql, params![id, name]).map(drop)
}

/// Deletes the row; an absent one is Ok.
pub fn delete(db: &mut Write<'_>, id: i64) -> store::Result<()> {
    db.execute("DELETE FROM instances_snapshots WHERE id = ?1", params![id]).map(drop)
}
