//! Instances on their way from one member to another: a row each, with the number of the move.

use store::{Read, Write, params};

/// The number of the move that an instance is in.
pub fn get(db: &Read<'_>, instance: i64) -> store::Result<Option<String>> {
    let sql = "SELECT number FROM instances_moves WHERE instance_id = ?1";
    db.query_one(sql, params![instance], |row| row.get(0))
}

/// Notes a move; one that was noted before is none any more.
pub fn begin(db: &mut Write<'_>, instance: i64, number: &str) -> store::Result<()> {
    let sql = "INSERT OR REPLACE INTO instances_moves (instance_id, number) VALUES (?1, ?2)";
    db.execute(sql, params![instance, number]).map(drop)
}

/// Forgets a move; another one of that instance stays.
pub fn end(db: &mut Write<'_>, instance: i64, number: &str) -> store::Result<()> {
    let sql = "DELETE FROM instances_moves WHERE instance_id = ?1 AND number = ?2";
    db.execute(sql, params![instance, number]).map(drop)
}
