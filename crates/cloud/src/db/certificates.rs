//! Certificates of clients that are trusted.

use store::{Read, Row, Write, params};

/// A trusted certificate.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The row's key.
    pub id: i64,
    /// SHA-256, in hexadecimal.
    pub fingerprint: String,
    /// `client` or `metrics`.
    pub kind: String,
    /// For people.
    pub name: String,
    /// The certificate, PEM.
    pub certificate: String,
    /// Whether it is held to `projects`.
    pub restricted: bool,
    /// Projects, by name.
    pub projects: Vec<String>,
}

const COLUMNS: &str =
    "SELECT id, fingerprint, type, name, certificate, restricted FROM certificates";

fn read(row: &Row<'_>) -> store::Result<Certificate> {
    Ok(Certificate {
        id: row.get(0)?,
        fingerprint: row.get(1)?,
        kind: row.get(2)?,
        name: row.get(3)?,
        certificate: row.get(4)?,
        restricted: row.get(5)?,
        projects: Vec::new(),
    })
}

fn with_projects(db: &Read<'_>, mut found: Vec<Certificate>) -> store::Result<Vec<Certificate>> {
    let sql =
        "SELECT projects.name FROM certificates_projects JOIN projects ON projects.id = project_id
        WHERE certificate_id = ?1 ORDER BY projects.name";
    for row in &mut found {
        row.projects = db.query(sql, params![row.id], |row| row.get(0))?;
    }
    Ok(found)
}

/// All of them, by fingerprint.
pub fn all(db: &Read<'_>) -> store::Result<Vec<Certificate>> {
    let found = db.query(&format!("{COLUMNS} ORDER BY fingerprint"), params![], read)?;
    with_projects(db, found)
}

/// The one with that fingerprint.
pub fn get(db: &Read<'_>, fingerprint: &str) -> store::Result<Option<Certificate>> {
    let found =
        db.query(&format!("{COLUMNS} WHERE fingerprint = ?1"), params![fingerprint], read)?;
    Ok(with_projects(db, found)?.pop())
}

/// Trusts one; `new.id` means nothing.
pub fn insert(db: &mut Write<'_>, new: &Certificate) -> store::Result<()> {
    db.execute(
        "INSERT INTO certificates (fingerprint, type, name, certificate, restricted)
            VALUES (?1, ?2, ?3, ?4, ?5)",
        params![new.fingerprint, new.kind, new.name, new.certificate, new.restricted],
    )?;
    hold(db, &new.fingerprint, &new.projects)
}

/// Puts what `new` says in the place of the row with `new.id`.
pub fn update(db: &mut Write<'_>, new: &Certificate) -> store::Result<()> {
    db.execute(
        "UPDATE certificates SET fingerprint = ?2, type = ?3, name = ?4, certificate = ?5,
            restricted = ?6 WHERE id = ?1",
        params![new.id, new.fingerprint, new.kind, new.name, new.certificate, new.restricted],
    )?;
    hold(db, &new.fingerprint, &new.projects)
}

fn hold(db: &mut Write<'_>, fingerprint: &str, projects: &[String]) -> store::Result<()> {
    db.execute(
        "DELETE FROM certificates_projects WHERE certificate_id =
            (SELECT id FROM certificates WHERE fingerprint = ?1)",
        params![fingerprint],
    )?;
    for project in projects {
        db.execute(
            "INSERT OR IGNORE INTO certificates_projects (certificate_id, project_id)
                SELECT certificates.id, projects.id FROM certificates, projects
                WHERE certificates.fingerprint = ?1 AND projects.name = ?2",
            params![fingerprint, project],
        )?;
    }
    Ok(())
}

/// Trusts one no more.
pub fn delete(db: &mut Write<'_>, id: i64) -> store::Result<()> {
    db.execute("DELETE FROM certificates WHERE id = ?1", params![id])?;
    Ok(())
}
