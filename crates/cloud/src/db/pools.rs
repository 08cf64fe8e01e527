//! Storage pools: what all members share of one, and what each member has of it alone.

use options::Raw;
use store::{MemberId, Read, Row, Write, params};

use super::{from_json, instances::Made, json};

/// A storage pool as this member has it.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Pool {
    /// The row's key.
    pub id: i64,
    /// Unique.
    pub name: String,
    /// The driver's name, such as `dir`.
    pub driver: String,
    /// Free text.
    pub description: String,
    /// The keys that are set, this member's own among them.
    pub config: Raw,
    /// How far it is made on this member.
    pub made: Made,
}

/// What a member has of a pool alone.
#[derive(Clone, Debug)]
pub struct Local {
    /// The member's name.
    pub member: String,
    /// The keys that are set for it.
    pub config: Raw,
    /// How far the pool is made there.
    pub made: Made,
    /// Why it could not be made there; empty when it could, or was not tried.
    pub message: String,
}

const COLUMNS: &str = "SELECT storage_pools.id, name, driver, description, storage_pools.config,
    coalesce(own.config, '{}'), coalesce(own.state, 'creating')
    FROM storage_pools
    LEFT JOIN storage_pools_members AS own ON own.pool_id = storage_pools.id AND own.member_id = ?1";

fn read(row: &Row<'_>) -> store::Result<Pool> {
    let mut config: Raw = from_json(&row.get::<String>(4)?);
    let local: Raw = from_json(&row.get::<String>(5)?);
    for (key, value) in local.iter() {
        config.set(key, value);
    }
    Ok(Pool {
        id: row.get(0)?,
        name: row.get(1)?,
        driver: row.get(2)?,
        description: row.get(3)?,
        config,
        made: Made::read(&row.get::<String>(6)?),
    })
}

/// What all members share of a configuration, and what one has alone.
pub fn parts(driver: &str, config: &Raw) -> (Raw, Raw) {
    let table = crate::storage::table(driver);
    let is_local = |key: &str| table.is_local(key);
    let shared = config.iter().filter(|(key, _)| !is_local(key)).collect();
    (shared, config.iter().filter(|(key, _)| is_local(key)).collect())
}

/// All pools, whatever their state, by name.
pub fn all(db: &Read<'_>) -> store::Result<Vec<Pool>> {
    db.query(&format!("{COLUMNS} ORDER BY name"), params![db.me()], read)
}

/// The pool of that name, whatever its state.
pub fn get(db: &Read<'_>, name: &str) -> store::Result<Option<Pool>> {
    db.query_one(&format!("{COLUMNS} WHERE name = ?2"), params![db.me(), name], read)
}

/// The state of the pool as a whole: it is being made, is there, or is to go everywhere.
pub fn whole(db: &Read<'_>, name: &str) -> store::Result<Option<Made>> {
    let sql = "SELECT state FROM storage_pools WHERE name = ?1";
    db.query_one(sql, params![name], |row| Ok(Made::read(&row.get::<String>(0)?)))
}

/// Notes the state of the pool as a whole.
pub fn set_whole(db: &mut Write<'_>, name: &str, made: Made) -> store::Result<()> {
    db.execute("UPDATE storage_pools SET state = ?2 WHERE name = ?1", params![name, made.word()])?;
    Ok(())
}

/// What the members have of a pool, by their names.
pub fn locals(db: &Read<'_>, name: &str) -> store::Result<Vec<Local>> {
    let sql = "SELECT members.name, own.config, own.state, own.message
        FROM storage_pools_members AS own
        JOIN storage_pools ON storage_pools.id = own.pool_id
        JOIN members ON members.id = own.member_id
        WHERE storage_pools.name = ?1 ORDER BY members.name";
    db.query(sql, params![name], |row| {
        Ok(Local {
            member: row.get(0)?,
            config: from_json(&row.get::<String>(1)?),
            made: Made::read(&row.get::<String>(2)?),
            message: row.get(3)?,
        })
    })
}

/// Adds a pool of which members are told before it is made.
pub fn insert_shared(
    db: &mut Write<'_>,
    name: &str,
    driver: &str,
    description: &str,
) -> store::Result<()> {
    db.execute(
        "INSERT INTO storage_pools (name, driver, description, config, state)
         VALUES (?1, ?2, ?3, '{}', ?4)",
        params![name, driver, description, Made::Creating.word()],
    )?;
    Ok(())
}

/// Puts in place what this member has of a pool; what all share is put there by the first.
pub fn insert(db: &mut Write<'_>, new: &Pool) -> store::Result<()> {
    let (shared, local) = parts(&new.driver, &new.config);
    let there = whole(db, &new.name)?;
    if there.is_none() {
        insert_shared(db, &new.name, &new.driver, &new.description)?;
    }
    if there != Some(Made::Ready) {
        db.execute(
            "UPDATE storage_pools SET description = ?2, config = ?3, state = ?4 WHERE name = ?1",
            params![new.name, new.description, json(&shared), new.made.word()],
        )?;
    }
    let me = db.me();
    set_local(db, &new.name, me, &local, new.made, "")
}

/// Puts in place what a member has of a pool.
pub fn set_local(
    db: &mut Write<'_>,
    name: &str,
    member: MemberId,
    local: &Raw,
    made: Made,
    message: &str,
) -> store::Result<()> {
    db.execute(
        "INSERT OR REPLACE INTO storage_pools_members (pool_id, member_id, config, state, message)
             SELECT id, ?2, ?3, ?4, ?5 FROM storage_pools WHERE name = ?1",
        params![name, member, json(local), made.word(), message],
    )?;
    Ok(())
}

/// Puts a pool's editable part in place.
pub fn update(db: &mut Write<'_>, id: i64, description: &str, config: &Raw) -> store::Result<()> {
    let sql = "SELECT driver FROM storage_pools WHERE id = ?1";
    let Some(driver) = db.query_one(sql, params![id], |row| row.get::<String>(0))? else {
        return Ok(());
    };
    let (shared, local) = parts(&driver, config);
    db.execute(
        "UPDATE storage_pools SET description = ?2, config = ?3 WHERE id = ?1",
        params![id, description, json(&shared)],
    )?;
    let me = db.me();
    db.execute(
        "UPDATE storage_pools_members SET config = ?3 WHERE pool_id = ?1 AND member_id = ?2",
        params![id, me, json(&local)],
    )?;
    Ok(())
}

/// Notes how far it is made on this member; one that is ready somewhere is ready as a whole.
pub fn set_made(db: &mut Write<'_>, name: &str, made: Made) -> store::Result<()> {
    let me = db.me();
    db.execute(
        "UPDATE storage_pools_members SET state = ?3, message = '' WHERE member_id = ?2
             AND pool_id = (SELECT id FROM storage_pools WHERE name = ?1)",
        params![name, me, made.word()],
    )?;
    if made == Made::Ready {
        set_whole(db, name, made)?;
    }
    Ok(())
}

/// Deletes what this member has of a pool, and with the last member's the pool; an absent one is Ok.
pub fn delete(db: &mut Write<'_>, name: &str) -> store::Result<()> {
    let me = db.me();
    db.execute(
        "DELETE FROM storage_pools_members WHERE member_id = ?2
             AND pool_id = (SELECT id FROM storage_pools WHERE name = ?1)",
        params![name, me],
    )?;
    db.execute(
        "DELETE FROM storage_pools WHERE name = ?1
             AND NOT EXISTS (SELECT 1 FROM storage_pools_members WHERE pool_id = storage_pools.id)",
        params![name],
    )?;
    Ok(())
}
