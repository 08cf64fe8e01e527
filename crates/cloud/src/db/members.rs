//! The members of the cloud: one row a machine, whose key is the member's number in the store.

use chrono::{DateTime, Utc};
use options::Raw;
use store::{MemberId, Read, Row, Write, params};

use super::{from_json, json};

/// A machine of the cloud.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Member {
    /// The row's key: its number in the store.
    pub id: MemberId,
    /// Unique; the host name of a machine that is alone.
    pub name: String,
    /// Where the others reach it, `host:port`; empty while it is no member of a cluster.
    pub address: String,
    /// LXD's name of the CPU architecture, such as `x86_64`.
    pub architecture: String,
    /// Its own certificate, PEM, by which the others know it; empty as the address is.
    pub certificate: String,
    /// Free text.
    pub description: String,
    /// The keys that are set.
    pub config: Raw,
    /// What fails together with it.
    pub failure_domain: String,
    /// How it takes part.
    pub part: Part,
}

/// How a member takes part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Part {
    /// It was let in and has not begun.
    Joining,
    /// It does its work.
    #[default]
    Ready,
    /// Its instances were taken from it, and none come.
    Evacuated,
    /// It has the database and may vote, and nothing else: no instances, no storage pools, no images.
    Witness,
}

impl Part {
    fn word(self) -> &'static str {
        match self {
            Part::Joining => "joining",
            Part::Ready => "ready",
            Part::Evacuated => "evacuated",
            Part::Witness => "witness",
        }
    }

    fn read(word: &str) -> Part {
        match word {
            "joining" => Part::Joining,
            "evacuated" => Part::Evacuated,
            "witness" => Part::Witness,
            _ => Part::Ready,
        }
    }
}

const COLUMNS: &str = "SELECT id, name, address, architecture, certificate, description, config,
    failure_domain, state FROM members";

fn read(row: &Row<'_>) -> store::Result<Member> {
    Ok(Member {
        id: row.get(0)?,
        name: row.get(1)?,
        address: row.get(2)?,
        architecture: row.get(3)?,
        certificate: row.get(4)?,
        description: row.get(5)?,
        config: from_json(&row.get::<String>(6)?),
        failure_domain: row.get(7)?,
        part: Part::read(&row.get::<String>(8)?),
    })
}

/// All members, by name.
pub fn all(db: &Read<'_>) -> store::Result<Vec<Member>> {
    db.query(&format!("{COLUMNS} ORDER BY name"), params![], read)
}

/// What is needed of each to reach it. Every version must find these columns as they are here: also one that is too old
/// or too new for the rest of the database speaks to the others, and votes.
pub fn places(db: &Read<'_>) -> store::Result<Vec<Member>> {
    let sql = "SELECT id, name, address, certificate FROM members ORDER BY name";
    db.query(sql, params![], |row| {
        let (id, name) = (row.get(0)?, row.get(1)?);
        let (address, certificate) = (row.get(2)?, row.get(3)?);
        Ok(Member { id, name, address, certificate, ..Member::default() })
    })
}

/// The member of that name.
pub fn get(db: &Read<'_>, name: &str) -> store::Result<Option<Member>> {
    db.query_one(&format!("{COLUMNS} WHERE name = ?1"), params![name], read)
}

/// The member of that number.
pub fn by_id(db: &Read<'_>, id: MemberId) -> store::Result<Option<Member>> {
    db.query_one(&format!("{COLUMNS} WHERE id = ?1"), params![id], read)
}

/// This member's name; empty before it has its row.
pub fn own_name(db: &Read<'_>) -> store::Result<String> {
    Ok(by_id(db, db.me())?.map(|own| own.name).unwrap_or_default())
}

/// Where things of a member are, as clients see it: nowhere in particular while there is no cluster.
pub fn location(db: &Read<'_>, name: &str) -> store::Result<String> {
    let clustered = get(db, name)?.is_some_and(|member| !member.address.is_empty());
    Ok(if clustered { name.to_owned() } else { String::from("none") })
}

/// Where what every member has is: all that have begun.
pub fn locations(db: &Read<'_>) -> store::Result<Vec<String>> {
    let begun = all(db)?.into_iter().filter(|member| member.part != Part::Joining);
    let clustered = begun.filter(|member| !member.address.is_empty());
    let names: Vec<String> = clustered.map(|member| member.name).collect();
    Ok(if names.is_empty() { vec![String::from("none")] } else { names })
}

/// Adds the first member.
pub fn insert_first(
    db: &mut Write<'_>,
    name: &str,
    architecture: &str,
    now: DateTime<Utc>,
) -> store::Result<()> {
    let id = db.me();
    db.execute(
        "INSERT INTO members (id, name, address, architecture, created_at)
         VALUES (?1, ?2, '', ?3, ?4)",
        params![id, name, architecture, now.to_rfc3339()],
    )?;
    in_default_group(db, id)
}

/// Adds a member; returns its number, which no other member ever had.
pub fn insert(db: &mut Write<'_>, new: &Member, now: DateTime<Utc>) -> store::Result<MemberId> {
    let last =
        db.query_one("SELECT last FROM members_numbers", params![], |row| row.get::<MemberId>(0))?;
    let id = last.unwrap_or(1).max(1) + 1;
    db.execute("UPDATE members_numbers SET last = ?1", params![id])?;
    db.execute(
        "INSERT INTO members (id, name, address, architecture, created_at, certificate, description,
             config, failure_domain, state)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            id,
            new.name,
            new.address,
            new.architecture,
            now.to_rfc3339(),
            new.certificate,
            new.description,
            json(&new.config),
            new.failure_domain,
            new.part.word()
        ],
    )?;
    in_default_group(db, id)?;
    Ok(id)
}

fn in_default_group(db: &mut Write<'_>, id: MemberId) -> store::Result<()> {
    db.execute(
        "INSERT INTO cluster_groups_members (group_id, member_id)
             SELECT id, ?1 FROM cluster_groups WHERE name = 'default'",
        params![id],
    )?;
    Ok(())
}

/// Puts what `new` says in the place of the row with `new.id`.
pub fn update(db: &mut Write<'_>, new: &Member) -> store::Result<()> {
    db.execute(
        "UPDATE members SET name = ?2, address = ?3, certificate = ?4, description = ?5,
             config = ?6, failure_domain = ?7, state = ?8, architecture = ?9 WHERE id = ?1",
        params![
            new.id,
            new.name,
            new.address,
            new.certificate,
            new.description,
            json(&new.config),
            new.failure_domain,
            new.part.word(),
            new.architecture
        ],
    )?;
    Ok(())
}

/// Deletes a member; an absent one is Ok.
pub fn delete(db: &mut Write<'_>, id: MemberId) -> store::Result<()> {
    db.execute("DELETE FROM members WHERE id = ?1", params![id])?;
    Ok(())
}

/// What is on a member, as words for people, most important first: instances, volumes, buckets.
pub fn holds(db: &Read<'_>, id: MemberId) -> store::Result<Vec<String>> {
    let sql = "SELECT 'instance ' || name FROM instances WHERE member_id = ?1
        UNION ALL SELECT 'volume ' || name FROM volumes WHERE member_id = ?1 AND type = 'custom'
        UNION ALL SELECT 'bucket ' || name FROM storage_buckets WHERE member_id = ?1";
    db.query(sql, params![id], |row| row.get(0))
}
