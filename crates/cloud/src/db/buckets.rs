//! Buckets of objects, and the keys to them.

use chrono::{DateTime, Utc};
use options::Raw;
use serde::{Deserialize, Serialize};
use store::{Read, Row, Write, params};

use super::{from_json, instances::Made, json};

/// A bucket as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Bucket {
    /// The row's key.
    pub id: i64,
    /// Its pool.
    pub pool: String,
    /// The project it is in.
    pub project: String,
    /// The member that has it.
    pub member: String,
    /// Unique on its member.
    pub name: String,
    /// Free text.
    pub description: String,
    /// The keys that are set.
    pub config: Raw,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// How far it is made.
    pub made: Made,
}

/// What a key allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Everything.
    Admin,
    /// To list and to get.
    ReadOnly,
}

impl Role {
    /// As the API writes it.
    pub fn word(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::ReadOnly => "read-only",
        }
    }

    /// The role of that word.
    pub fn read(word: &str) -> Option<Role> {
        [Role::Admin, Role::ReadOnly].into_iter().find(|role| role.word() == word)
    }
}

/// A key to a bucket as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Key {
    /// The row's key.
    pub id: i64,
    /// The key of its bucket's row.
    pub bucket_id: i64,
    /// Unique in its bucket.
    pub name: String,
    /// Free text.
    pub description: String,
    /// What it allows.
    pub role: Role,
    /// Unique.
    pub access: String,
    /// What requests are signed with.
    pub secret: String,
}

const COLUMNS: &str = "SELECT storage_buckets.id, storage_pools.name, projects.name, members.name,
    storage_buckets.name, storage_buckets.description, storage_buckets.config,
    storage_buckets.created_at, storage_buckets.state
    FROM storage_buckets JOIN storage_pools ON storage_pools.id = storage_buckets.pool_id
    JOIN projects ON projects.id = storage_buckets.project_id
    JOIN members ON members.id = storage_buckets.member_id";

const KEY_COLUMNS: &str = "SELECT id, bucket_id, name, description, role, access_key, secret_key FROM storage_buckets_keys";

fn read(row: &Row<'_>) -> store::Result<Bucket> {
    Ok(Bucket {
        id: row.get(0)?,
        pool: row.get(1)?,
        project: row.get(2)?,
        member: row.get(3)?,
        name: row.get(4)?,
        description: row.get(5)?,
        config: from_json(&row.get::<String>(6)?),
        created_at: row.get::<String>(7)?.parse().unwrap_or_default(),
        made: Made::read(&row.get::<String>(8)?),
    })
}

fn read_key(row: &Row<'_>) -> store::Result<Key> {
    Ok(Key {
        id: row.get(0)?,
        bucket_id: row.get(1)?,
        name: row.get(2)?,
        description: row.get(3)?,
        // What cannot be read allows least.
        role: Role::read(&row.get::<String>(4)?).unwrap_or(Role::ReadOnly),
        access: row.get(5)?,
        secret: row.get(6)?,
    })
}

/// All buckets, whatever their state, by name.
pub fn all(db: &Read<'_>) -> store::Result<Vec<Bucket>> {
    db.query(&format!("{COLUMNS} ORDER BY projects.name, storage_buckets.name"), params![], read)
}

/// All buckets of a pool, whatever their state, by project and name.
pub fn of_pool(db: &Read<'_>, pool: &str) -> store::Result<Vec<Bucket>> {
    db.query(
        &format!(
            "{COLUMNS} WHERE storage_pools.name = ?1 ORDER BY projects.name, storage_buckets.name"
        ),
        params![pool],
        read,
    )
}

/// A member's bucket of that name, whatever its state.
pub fn get(db: &Read<'_>, member: &str, name: &str) -> store::Result<Option<Bucket>> {
    db.query_one(
        &format!("{COLUMNS} WHERE members.name = ?1 AND storage_buckets.name = ?2"),
        params![member, name],
        read,
    )
}

/// The bucket of that row, whatever its state.
pub fn by_id(db: &Read<'_>, id: i64) -> store::Result<Option<Bucket>> {
    db.query_one(&format!("{COLUMNS} WHERE storage_buckets.id = ?1"), params![id], read)
}

/// Adds a bucket.
pub fn insert(db: &mut Write<'_>, new: &Bucket) -> store::Result<()> {
    db.execute(
        "INSERT INTO storage_buckets (pool_id, project_id, member_id, name, description, config,
             created_at, state)
         VALUES ((SELECT id FROM storage_pools WHERE name = ?1),
             (SELECT id FROM projects WHERE name = ?2), (SELECT id FROM members WHERE name = ?3),
             ?4, ?5, ?6, ?7, ?8)",
        params![
            new.pool,
            new.project,
            new.member,
            new.name,
            new.description,
            json(&new.config),
            new.created_at.to_rfc3339(),
            new.made.word()
        ],
    )?;
    Ok(())
}

/// Puts a bucket's editable part in place.
pub fn update(db: &mut Write<'_>, id: i64, description: &str, config: &Raw) -> store::Result<()> {
    let sql = "UPDATE storage_buckets SET description = ?2, config = ?3 WHERE id = ?1";
    db.execute(sql, params![id, description, json(config)]).map(drop)
}

/// Notes how far it is made.
pub fn set_made(db: &mut Write<'_>, id: i64, made: Made) -> store::Result<()> {
    let sql = "UPDATE storage_buckets SET state = ?2 WHERE id = ?1";
    db.execute(sql, params![id, made.word()]).map(drop)
}

/// Deletes the row and its keys; an absent one is Ok.
pub fn delete(db: &mut Write<'_>, id: i64) -> store::Result<()> {
    db.execute("DELETE FROM storage_buckets WHERE id = ?1", params![id]).map(drop)
}

/// The keys to a bucket, by name.
pub fn keys(db: &Read<'_>, bucket: i64) -> store::Result<Vec<Key>> {
    let sql = format!("{KEY_COLUMNS} WHERE bucket_id = ?1 ORDER BY name");
    db.query(&sql, params![bucket], read_key)
}

/// The key to a bucket of that name.
pub fn key(db: &Read<'_>, bucket: i64, name: &str) -> store::Result<Option<Key>> {
    let sql = format!("{KEY_COLUMNS} WHERE bucket_id = ?1 AND name = ?2");
    db.query_one(&sql, params![bucket, name], read_key)
}

/// The key that an S3 client names.
pub fn key_of_access(db: &Read<'_>, access: &str) -> store::Result<Option<Key>> {
    db.query_one(&format!("{KEY_COLUMNS} WHERE access_key = ?1"), params![access], read_key)
}

/// Adds a key.
pub fn insert_key(db: &mut Write<'_>, new: &Key) -> store::Result<()> {
    db.execute(
        "INSERT INTO storage_buckets_keys (bucket_id, name, description, role, access_key, secret_key)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![new.bucket_id, new.name, new.description, new.role.word(), new.access, new.secret],
    )
    .map(drop)
}

/// Puts a key's editable part in place.
pub fn update_key(db: &mut Write<'_>, new: &Key) -> store::Result<()> {
    db.execute(
        "UPDATE storage_buckets_keys SET description = ?2, role = ?3, access_key = ?4, secret_key = ?5
         WHERE id = ?1",
        params![new.id, new.description, new.role.word(), new.access, new.secret],
    )
    .map(drop)
}

/// Deletes a key; an absent one is Ok.
pub fn delete_key(db: &mut Write<'_>, id: i64) -> store::Result<()> {
    db.execute("DELETE FROM storage_buckets_keys WHERE id = ?1", params![id]).map(drop)
}
