//! Backups of instances, custom volumes and buckets: what is known of each file. Each kind of owner has
//! a table of its own, so that the rows go with their owner's.

use chrono::{DateTime, Utc};
use store::{Read, Row, Write, params};

use super::instances::Made;

/// A backup as it is stored.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Backup {
    /// The row's key.
    pub id: i64,
    /// The key of its owner's row.
    #[serde(alias = "instance_id")]
    pub owner_id: i64,
    /// Unique among its owner's.
    pub name: String,
    /// Whether the snapshots were left out.
    #[serde(alias = "instance_only")]
    pub without_snapshots: bool,
    /// Whether it holds what only the pool's driver can read.
    pub optimized: bool,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it is deleted by itself; `None` is never.
    pub expires_at: Option<DateTime<Utc>>,
    /// How far it is made.
    pub made: Made,
}

/// The table of a kind of owner.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    name: &'static str,
    owner: &'static str,
    only: &'static str,
}

/// Backups of instances.
pub const OF_INSTANCES: Table =
    Table { name: "instances_backups", owner: "instance_id", only: "instance_only" };
/// Backups of custom volumes.
pub const OF_VOLUMES: Table =
    Table { name: "volumes_backups", owner: "volume_id", only: "volume_only" };
/// Backups of buckets.
pub const OF_BUCKETS: Table =
    Table { name: "storage_buckets_backups", owner: "bucket_id", only: "bucket_only" };

impl Table {
    fn select(&self, rest: &str) -> String {
        let Table { name, owner, only } = self;
        let rest = rest.replace("OWNER", owner);
        format!(
            "SELECT id, {owner}, name, {only}, optimized, created_at, expires_at, state FROM {name}
             {rest}"
        )
    }

    /// Every backup of every owner, whatever its state, the oldest first.
    pub fn all(&self, db: &Read<'_>) -> store::Result<Vec<Backup>> {
        db.query(&self.select("ORDER BY OWNER, created_at, id"), params![], read)
    }

    /// The backups of an owner, whatever their state, the oldest first.
    pub fn of(&self, db: &Read<'_>, owner: i64) -> store::Result<Vec<Backup>> {
        let sql = self.select("WHERE OWNER = ?1 ORDER BY created_at, id");
        db.query(&sql, params![owner], read)
    }

    /// The backup of that name, whatever its state.
    pub fn get(&self, db: &Read<'_>, owner: i64, name: &str) -> store::Result<Option<Backup>> {
        let sql = self.select("WHERE OWNER = ?1 AND name = ?2");
        db.query_one(&sql, params![owner, name], read)
    }

    /// Adds a backup.
    pub fn insert(&self, db: &mut Write<'_>, new: &Backup) -> store::Result<()> {
        let Table { name, owner, only } = self;
        let expires = new.expires_at.map(|time| time.to_rfc3339()).unwrap_or_default();
        db.execute(
            &format!(
                "INSERT INTO {name} ({owner}, name, {only}, optimized, created_at, expires_at, state)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
            ),
            params![
                new.owner_id,
                new.name,
                new.without_snapshots,
                new.optimized,
                new.created_at.to_rfc3339(),
                expires,
                new.made.word()
            ],
        )
        .map(drop)
    }

    /// Notes how far it is made.
    pub fn set_made(&self, db: &mut Write<'_>, id: i64, made: Made) -> store::Result<()> {
        let sql = format!("UPDATE {} SET state = ?2 WHERE id = ?1", self.name);
        db.execute(&sql, params![id, made.word()]).map(drop)
    }

    /// Renames it.
    pub fn rename(&self, db: &mut Write<'_>, id: i64, name: &str) -> store::Result<()> {
        let sql = format!("UPDATE {} SET name = ?2 WHERE id = ?1", self.name);
        db.execute(&sql, params![id, name]).map(drop)
    }

    /// Deletes the row; an absent one is Ok.
    pub fn delete(&self, db: &mut Write<'_>, id: i64) -> store::Result<()> {
        let sql = format!("DELETE FROM {} WHERE id = ?1", self.name);
        db.execute(&sql, params![id]).map(drop)
    }
}

fn read(row: &Row<'_>) -> store::Result<Backup> {
    Ok(Backup {
        id: row.get(0)?,
        owner_id: row.get(1)?,
        name: row.get(2)?,
        without_snapshots: row.get(3)?,
        optimized: row.get(4)?,
        created_at: row.get::<String>(5)?.parse().unwrap_or_default(),
        expires_at: row.get::<String>(6)?.parse().ok(),
        made: Made::read(&row.get::<String>(7)?),
    })
}
