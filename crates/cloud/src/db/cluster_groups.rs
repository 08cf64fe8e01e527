//! Groups of members.

use store::{MemberId, Read, Write, params};

use crate::{Error, Result};

/// The names of the groups that a member is in.
pub fn of_member(db: &Read<'_>, member: MemberId) -> store::Result<Vec<String>> {
    let sql = "SELECT name FROM cluster_groups JOIN cluster_groups_members ON group_id = id
        WHERE member_id = ?1 ORDER BY name";
    db.query(sql, params![member], |row| row.get(0))
}

/// Puts a member into these groups and no others.
pub fn set_of_member(db: &mut Write<'_>, member: MemberId, groups: &[String]) -> Result<()> {
    db.execute("DELETE FROM cluster_groups_members WHERE member_id = ?1", params![member])?;
    for group in groups {
        let sql = "SELECT 1 FROM cluster_groups WHERE name = ?1";
        if !db.exists(sql, params![group])? {
            return Err(Error::not_found("cluster group", group));
        }
        db.execute(
            "INSERT OR IGNORE INTO cluster_groups_members (group_id, member_id)
                 SELECT id, ?2 FROM cluster_groups WHERE name = ?1",
            params![group, member],
        )?;
    }
    Ok(())
}
