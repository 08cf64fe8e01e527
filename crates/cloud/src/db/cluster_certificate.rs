//! The certificate that all members show clients, since it was replaced.

use store::{Read, Write, params};

/// A certificate and its key, PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// The certificate, perhaps with those that signed it.
    pub certificate: String,
    /// The key.
    pub key: String,
}

/// The one that was given last.
pub fn get(db: &Read<'_>) -> store::Result<Option<Shared>> {
    let sql = "SELECT certificate, key FROM cluster_certificate";
    db.query_one(sql, params![], |row| Ok(Shared { certificate: row.get(0)?, key: row.get(1)? }))
}

/// Puts another in its place.
pub fn set(db: &mut Write<'_>, new: &Shared) -> store::Result<()> {
    db.execute(
        "INSERT OR REPLACE INTO cluster_certificate (id, certificate, key) VALUES (1, ?1, ?2)",
        params![new.certificate, new.key],
    )?;
    Ok(())
}
