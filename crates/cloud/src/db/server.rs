//! The configuration of the server as a whole.

use options::Raw;
use store::{Read, Write, params};

/// Every key that is set.
pub fn get(db: &Read<'_>) -> store::Result<Raw> {
    let pairs = db.query("SELECT key, value FROM server_config", params![], |row| {
        Ok((row.get::<String>(0)?, row.get::<String>(1)?))
    })?;
    Ok(pairs.into_iter().collect())
}

/// Puts `config` in the place of what was there.
pub fn replace(db: &mut Write<'_>, config: &Raw) -> store::Result<()> {
    db.execute("DELETE FROM server_config", params![])?;
    for (key, value) in config.iter() {
        db.execute("INSERT INTO server_config (key, value) VALUES (?1, ?2)", params![key, value])?;
    }
    Ok(())
}
