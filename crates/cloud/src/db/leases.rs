//! Members that run what lies in pools which all share by a lease ([`crate::cluster::lease`]): a row each.

use store::{MemberId, Read, Write, params};

/// Whether a member is fenced: it gets no lease. `None` where it runs nothing by one.
pub fn get(db: &Read<'_>, member: MemberId) -> store::Result<Option<bool>> {
    let sql = "SELECT fenced FROM leases WHERE member_id = ?1";
    db.query_one(sql, params![member], |row| Ok(row.get::<i64>(0)? != 0))
}

/// The members, and whether each is fenced.
pub fn all(db: &Read<'_>) -> store::Result<Vec<(MemberId, bool)>> {
    let sql = "SELECT member_id, fenced FROM leases ORDER BY member_id";
    db.query(sql, params![], |row| Ok((row.get(0)?, row.get::<i64>(1)? != 0)))
}

/// Notes that from now on a member runs such things by a lease alone.
pub fn set(db: &mut Write<'_>, member: MemberId, fenced: bool) -> store::Result<()> {
    let sql = "INSERT OR REPLACE INTO leases (member_id, fenced) VALUES (?1, ?2)";
    db.execute(sql, params![member, i64::from(fenced)]).map(drop)
}

/// Notes that it does so no more.
pub fn delete(db: &mut Write<'_>, member: MemberId) -> store::Result<()> {
    db.execute("DELETE FROM leases WHERE member_id = ?1", params![member]).map(drop)
}
