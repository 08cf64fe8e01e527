//! Groups of members.

use std::collections::BTreeSet;

use store::{MemberId, Read, Row, Write, params};

use crate::{Error, Result};

/// A group of members.
#[derive(Clone, Debug)]
pub struct Group {
    /// The row's key.
    pub id: i64,
    /// Unique.
    pub name: String,
    /// Free text.
    pub description: String,
    /// The names of the members in it.
    pub members: Vec<String>,
}

const COLUMNS: &str = "SELECT id, name, description FROM cluster_groups";

fn read(row: &Row<'_>) -> store::Result<Group> {
    let (id, name, description) = (row.get(0)?, row.get(1)?, row.get(2)?);
    Ok(Group { id, name, description, members: Vec::new() })
}

fn whole(db: &Read<'_>, group: Group) -> store::Result<Group> {
    let sql = "SELECT members.name FROM members JOIN cluster_groups_members
        ON member_id = members.id WHERE group_id = ?1 ORDER BY members.name";
    Ok(Group { members: db.query(sql, params![group.id], |row| row.get(0))?, ..group })
}

/// All groups, by name.
pub fn all(db: &Read<'_>) -> store::Result<Vec<Group>> {
    let found = db.query(&format!("{COLUMNS} ORDER BY name"), params![], read)?;
    found.into_iter().map(|group| whole(db, group)).collect()
}

/// The group of that name.
pub fn get(db: &Read<'_>, name: &str) -> store::Result<Option<Group>> {
    let found = db.query_one(&format!("{COLUMNS} WHERE name = ?1"), params![name], read)?;
    found.map(|group| whole(db, group)).transpose()
}

/// Adds a group that nobody is in.
pub fn insert(db: &mut Write<'_>, name: &str, description: &str) -> store::Result<()> {
    let sql = "INSERT INTO cluster_groups (name, description) VALUES (?1, ?2)";
    db.execute(sql, params![name, description])?;
    Ok(())
}

/// Changes what a group says of itself.
pub fn describe(db: &mut Write<'_>, id: i64, description: &str) -> store::Result<()> {
    let sql = "UPDATE cluster_groups SET description = ?2 WHERE id = ?1";
    db.execute(sql, params![id, description])?;
    Ok(())
}

/// Gives a group another name.
pub fn rename(db: &mut Write<'_>, id: i64, name: &str) -> store::Result<()> {
    db.execute("UPDATE cluster_groups SET name = ?2 WHERE id = ?1", params![id, name])?;
    Ok(())
}

/// Deletes a group.
pub fn delete(db: &mut Write<'_>, id: i64) -> store::Result<()> {
    db.execute("DELETE FROM cluster_groups WHERE id = ?1", params![id])?;
    Ok(())
}

/// Puts these members into a group, and no others.
pub fn set_members(
    db: &mut Write<'_>,
    group: i64,
    members: &BTreeSet<MemberId>,
) -> store::Result<()> {
    db.execute("DELETE FROM cluster_groups_members WHERE group_id = ?1", params![group])?;
    for member in members {
        let sql = "INSERT INTO cluster_groups_members (group_id, member_id) VALUES (?1, ?2)";
        db.execute(sql, params![group, *member])?;
    }
    Ok(())
}

/// A member that is in no group.
pub fn nowhere(db: &Read<'_>) -> store::Result<Option<String>> {
    let sql = "SELECT name FROM members WHERE id NOT IN
        (SELECT member_id FROM cluster_groups_members) ORDER BY name";
    db.query_one(sql, params![], |row| row.get(0))
}

/// The names of the groups that a member is in.
pub fn of_member(db: &Read<'_>, member: MemberId) -> store::Result<Vec<String>> {
    let sql = "SELECT name FROM cluster_groups JOIN cluster_groups_members ON group_id = id
        WHERE member_id = ?1 ORDER BY name";
    db.query(sql, params![member], |row| row.get(0))
}

/// Puts a member into these groups and no others; into one at least.
pub fn set_of_member(db: &mut Write<'_>, member: MemberId, groups: &[String]) -> Result<()> {
    if groups.is_empty() {
        let why = "a member is always in one at least, such as \"default\"";
        return Err(Error::invalid("groups", why));
    }
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
