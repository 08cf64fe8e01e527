//! Images and their aliases.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use store::{Read, Row, Write, params};

use super::{from_json, instances::Made, json};

/// Where an image came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Source {
    /// `microcloud-build`, `lxd`, `simplestreams`, or empty for an upload.
    pub protocol: String,
    /// What was asked for, such as `debian/12`.
    pub alias: String,
    /// Address of the server that had it.
    #[serde(default)]
    pub server: String,
    /// Certificate of that, PEM; empty where others vouch for it.
    #[serde(default)]
    pub certificate: String,
    /// The task that wrote the row, so that it knows its own again.
    #[serde(default)]
    pub task: String,
}

/// An image as it is stored.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Image {
    /// The row's key.
    pub id: i64,
    /// The project it is in.
    pub project: String,
    /// SHA-256 of its files, in hexadecimal; unique in its project.
    pub fingerprint: String,
    /// `container` or `virtual-machine`.
    pub kind: String,
    /// What the uploaded file was called.
    pub filename: String,
    /// Bytes of its files.
    pub size: i64,
    /// LXD's name of its CPU architecture.
    pub architecture: String,
    /// Whether strangers may read it.
    pub public: bool,
    /// Whether it is made anew by itself.
    pub auto_update: bool,
    /// Whether a launch brought it rather than a user.
    pub cached: bool,
    /// Such as `os`, `release`, `description`.
    pub properties: BTreeMap<String, String>,
    /// Where it came from.
    pub source: Source,
    /// When its files were made.
    pub created_at: DateTime<Utc>,
    /// When it may be dropped; the epoch: never.
    pub expires_at: DateTime<Utc>,
    /// When it came here.
    pub uploaded_at: DateTime<Utc>,
    /// When an instance was made of it last; the epoch if never.
    pub last_used_at: DateTime<Utc>,
    /// How far it is made.
    pub made: Made,
}

/// Another name of an image.
#[derive(Clone, Debug)]
pub struct Alias {
    /// The row's key.
    pub id: i64,
    /// The project it is in.
    pub project: String,
    /// Unique in its project.
    pub name: String,
    /// Free text.
    pub description: String,
    /// The fingerprint of its image.
    pub fingerprint: String,
    /// The kind of its image.
    pub kind: String,
}

const COLUMNS: &str = "SELECT images.id, projects.name, images.fingerprint, images.type,
    images.filename, images.size, images.architecture, images.public, images.auto_update,
    images.cached, images.properties, images.source, images.created_at, images.expires_at,
    images.uploaded_at, images.last_used_at, images.state
    FROM images JOIN projects ON projects.id = images.project_id";

const ALIAS_COLUMNS: &str = "SELECT images_aliases.id, projects.name, images_aliases.name,
    images_aliases.description, images.fingerprint, images.type
    FROM images_aliases JOIN projects ON projects.id = images_aliases.project_id
    JOIN images ON images.id = images_aliases.image_id";

fn read(row: &Row<'_>) -> store::Result<Image> {
    let time = |at: usize| -> store::Result<DateTime<Utc>> {
        Ok(row.get::<String>(at)?.parse().unwrap_or_default())
    };
    Ok(Image {
        id: row.get(0)?,
        project: row.get(1)?,
        fingerprint: row.get(2)?,
        kind: row.get(3)?,
        filename: row.get(4)?,
        size: row.get(5)?,
        architecture: row.get(6)?,
        public: row.get::<i64>(7)? != 0,
        auto_update: row.get::<i64>(8)? != 0,
        cached: row.get::<i64>(9)? != 0,
        properties: from_json(&row.get::<String>(10)?),
        source: from_json(&row.get::<String>(11)?),
        created_at: time(12)?,
        expires_at: time(13)?,
        uploaded_at: time(14)?,
        last_used_at: time(15)?,
        made: Made::read(&row.get::<String>(16)?),
    })
}

fn read_alias(row: &Row<'_>) -> store::Result<Alias> {
    Ok(Alias {
        id: row.get(0)?,
        project: row.get(1)?,
        name: row.get(2)?,
        description: row.get(3)?,
        fingerprint: row.get(4)?,
        kind: row.get(5)?,
    })
}

/// All images of all projects, whatever their state, by project and fingerprint.
pub fn all(db: &Read<'_>) -> store::Result<Vec<Image>> {
    db.query(&format!("{COLUMNS} ORDER BY projects.name, images.fingerprint"), params![], read)
}

/// The image with that whole fingerprint.
pub fn get(db: &Read<'_>, project: &str, fingerprint: &str) -> store::Result<Option<Image>> {
    db.query_one(
        &format!("{COLUMNS} WHERE projects.name = ?1 AND images.fingerprint = ?2"),
        params![project, fingerprint],
        read,
    )
}

/// The ready images whose fingerprint begins so; two at most.
pub fn by_prefix(db: &Read<'_>, project: &str, prefix: &str) -> store::Result<Vec<Image>> {
    db.query(
        &format!(
            "{COLUMNS} WHERE projects.name = ?1 AND images.state = 'ready'
             AND substr(images.fingerprint, 1, length(?2)) = ?2 LIMIT 2"
        ),
        params![project, prefix],
        read,
    )
}

/// Adds an image.
pub fn insert(db: &mut Write<'_>, new: &Image) -> store::Result<()> {
    db.execute(
        "INSERT INTO images (project_id, fingerprint, type, filename, size, architecture, public,
             auto_update, cached, properties, source, created_at, expires_at, uploaded_at,
             last_used_at, state)
         VALUES ((SELECT id FROM projects WHERE name = ?1), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,
             ?11, ?12, ?13, ?14, ?15, ?16)",
        params![
            new.project,
            new.fingerprint,
            new.kind,
            new.filename,
            new.size,
            new.architecture,
            i64::from(new.public),
            i64::from(new.auto_update),
            i64::from(new.cached),
            json(&new.properties),
            json(&new.source),
            new.created_at.to_rfc3339(),
            new.expires_at.to_rfc3339(),
            new.uploaded_at.to_rfc3339(),
            new.last_used_at.to_rfc3339(),
            new.made.word()
        ],
    )?;
    Ok(())
}

/// Puts an image's editable part in place.
pub fn update(db: &mut Write<'_>, new: &Image) -> store::Result<()> {
    db.execute(
        "UPDATE images SET public = ?2, auto_update = ?3, properties = ?4, expires_at = ?5,
             cached = ?6
         WHERE id = ?1",
        params![
            new.id,
            i64::from(new.public),
            i64::from(new.auto_update),
            json(&new.properties),
            new.expires_at.to_rfc3339(),
            i64::from(new.cached)
        ],
    )?;
    Ok(())
}

/// Notes how far it is made.
pub fn set_made(db: &mut Write<'_>, id: i64, made: Made) -> store::Result<()> {
    db.execute("UPDATE images SET state = ?2 WHERE id = ?1", params![id, made.word()])?;
    Ok(())
}

/// Notes that an instance was made of it.
pub fn set_last_used(db: &mut Write<'_>, id: i64, now: DateTime<Utc>) -> store::Result<()> {
    db.execute("UPDATE images SET last_used_at = ?2 WHERE id = ?1", params![id, now.to_rfc3339()])?;
    Ok(())
}

/// Deletes the row with its aliases; an absent one is Ok.
pub fn delete(db: &mut Write<'_>, project: &str, fingerprint: &str) -> store::Result<()> {
    db.execute(
        "DELETE FROM images WHERE fingerprint = ?2
             AND project_id = (SELECT id FROM projects WHERE name = ?1)",
        params![project, fingerprint],
    )?;
    Ok(())
}

/// All aliases of all projects, by project and name.
pub fn aliases(db: &Read<'_>) -> store::Result<Vec<Alias>> {
    db.query(
        &format!("{ALIAS_COLUMNS} ORDER BY projects.name, images_aliases.name"),
        params![],
        read_alias,
    )
}

/// The alias of that name.
pub fn alias(db: &Read<'_>, project: &str, name: &str) -> store::Result<Option<Alias>> {
    db.query_one(
        &format!("{ALIAS_COLUMNS} WHERE projects.name = ?1 AND images_aliases.name = ?2"),
        params![project, name],
        read_alias,
    )
}

/// Adds an alias.
pub fn insert_alias(
    db: &mut Write<'_>,
    project: &str,
    name: &str,
    description: &str,
    fingerprint: &str,
) -> store::Result<()> {
    db.execute(
        "INSERT INTO images_aliases (project_id, name, image_id, description)
         VALUES ((SELECT id FROM projects WHERE name = ?1), ?2,
             (SELECT images.id FROM images JOIN projects ON projects.id = images.project_id
              WHERE projects.name = ?1 AND images.fingerprint = ?3), ?4)",
        params![project, name, fingerprint, description],
    )?;
    Ok(())
}

/// Points an alias at an image of its project.
pub fn update_alias(
    db: &mut Write<'_>,
    id: i64,
    fingerprint: &str,
    description: &str,
) -> store::Result<()> {
    db.execute(
        "UPDATE images_aliases SET description = ?3, image_id =
             (SELECT id FROM images WHERE fingerprint = ?2
              AND project_id = images_aliases.project_id) WHERE id = ?1",
        params![id, fingerprint, description],
    )?;
    Ok(())
}

/// Renames an alias.
pub fn rename_alias(db: &mut Write<'_>, id: i64, name: &str) -> store::Result<()> {
    db.execute("UPDATE images_aliases SET name = ?2 WHERE id = ?1", params![id, name])?;
    Ok(())
}

/// Deletes an alias.
pub fn delete_alias(db: &mut Write<'_>, id: i64) -> store::Result<()> {
    db.execute("DELETE FROM images_aliases WHERE id = ?1", params![id])?;
    Ok(())
}
