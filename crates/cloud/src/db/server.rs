//! The configuration of the server: what all members share, and what this one has alone.

use options::{Options, Raw, server::ServerOptions};
use store::{Read, Write, params};

fn pairs(
    db: &Read<'_>,
    sql: &str,
    values: &[store::Value],
) -> store::Result<Vec<(String, String)>> {
    db.query(sql, values, |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Every key that is set for this member.
pub fn get(db: &Read<'_>) -> store::Result<Raw> {
    let shared = pairs(db, "SELECT key, value FROM server_config", params![])?;
    Ok(shared.into_iter().chain(local(db, db.me())?).collect())
}

/// What a member has alone.
pub fn local(db: &Read<'_>, member: u64) -> store::Result<Vec<(String, String)>> {
    let sql = "SELECT key, value FROM members_server_config WHERE member_id = ?1";
    pairs(db, sql, params![member])
}

/// What members have of a key that each has alone: the member's name, and the value.
pub fn of_members(db: &Read<'_>, key: &str) -> store::Result<Vec<(String, String)>> {
    let sql = "SELECT members.name, value FROM members_server_config \
               JOIN members ON members.id = member_id WHERE key = ?1";
    pairs(db, sql, params![key])
}

/// Puts `config` in the place of what was there for this member.
pub fn replace(db: &mut Write<'_>, config: &Raw) -> store::Result<()> {
    let me = db.me();
    db.execute("DELETE FROM server_config", params![])?;
    db.execute("DELETE FROM members_server_config WHERE member_id = ?1", params![me])?;
    for (key, value) in config.iter() {
        match ServerOptions::TABLE.is_local(key) {
            true => set_local(db, me, key, value)?,
            false => {
                let sql = "INSERT INTO server_config (key, value) VALUES (?1, ?2)";
                db.execute(sql, params![key, value])?;
            }
        }
    }
    Ok(())
}

/// Sets what a member has alone.
pub fn set_local(db: &mut Write<'_>, member: u64, key: &str, value: &str) -> store::Result<()> {
    db.execute(
        "INSERT OR REPLACE INTO members_server_config (member_id, key, value) VALUES (?1, ?2, ?3)",
        params![member, key, value],
    )?;
    Ok(())
}
