//! Clients that are trusted, by the fingerprints of their certificates; and what each may do.
//!
//! ```text
//! unknown ─ a trusted client adds it, or it brings a token ─> trusted ─ delete ─> unknown
//! ```
//! Where there is an authority, it must have signed what is trusted ([`authority`]).
//! A token is an operation that waits to be spent, once (`docs/decisions/trust.md`); with the daemon it is gone.

use store::Read;
use wire::{Certificate, CertificatePut};

use crate::{
    Error, Result, World,
    access::Rights,
    db::{certificates as rows, projects},
    names::DEFAULT_PROJECT,
    url,
};

mod add;
mod authority;
mod delete;
mod token;
pub(crate) mod tokens;
mod update;

use self::authority::Vouched;
pub use self::tokens::opens;
pub use self::{
    add::{Newcomer, add},
    delete::delete,
    token::token,
    update::update,
};

/// Kinds of certificates that can be trusted.
const KINDS: [&str; 2] = ["client", "metrics"];

/// What a client may do that shows this certificate, and has the key to it.
pub fn rights(world: &World, certificate: &[u8]) -> Result<Rights> {
    let vouched = authority::vouch(world, certificate)?;
    if matches!(vouched, Vouched::Refused(_)) || !tls::is_valid_now(certificate) {
        return Ok(Rights::Nothing);
    }
    let fingerprint = tls::fingerprint(certificate);
    Ok(match world.store.read(|db| Ok::<_, Error>(rows::get(db, &fingerprint)?))? {
        Some(row) if row.kind == "metrics" => Rights::Metrics,
        Some(row) if row.restricted => Rights::Projects(row.projects),
        Some(_) => Rights::Everything,
        None if matches!(vouched, Vouched::Signed) && authority::is_enough(world)? => {
            Rights::Everything
        }
        None => Rights::Nothing,
    })
}

/// Every trusted certificate.
pub fn list(world: &World) -> Result<Vec<Certificate>> {
    let found = world.store.read(|db| Ok::<_, Error>(rows::all(db)?))?;
    Ok(found.into_iter().map(render).collect())
}

/// One, by its fingerprint or the start of it.
pub fn get(world: &World, fingerprint: &str) -> Result<Certificate> {
    world.store.read(|db| Ok(render(find(db, fingerprint)?)))
}

/// Shorter starts of fingerprints name nothing: they would be mistyped names.
const SHORTEST: usize = 4;

fn find(db: &Read<'_>, fingerprint: &str) -> Result<rows::Certificate> {
    let unknown = || Error::not_found("certificate", fingerprint);
    if fingerprint.len() < SHORTEST {
        return Err(unknown());
    }
    let wanted = fingerprint.to_ascii_lowercase();
    let mut found = rows::all(db)?.into_iter().filter(|row| row.fingerprint.starts_with(&wanted));
    let first = found.next().ok_or_else(unknown)?;
    match found.next() {
        Some(_) => {
            let why = format!("\"{fingerprint}\" is the start of several fingerprints");
            Err(Error::invalid("fingerprint", why))
        }
        None => Ok(first),
    }
}

fn render(row: rows::Certificate) -> Certificate {
    Certificate {
        fingerprint: row.fingerprint,
        certificate: row.certificate,
        name: row.name,
        description: String::new(),
        r#type: row.kind,
        restricted: row.restricted,
        projects: row.projects,
    }
}

/// A row of what a client says; its id means nothing.
fn row(db: &Read<'_>, said: CertificatePut) -> Result<rows::Certificate> {
    let der = tls::from_text(&said.certificate).map_err(|error| unreadable(&error))?;
    let kind = if said.r#type.is_empty() { KINDS[0].to_owned() } else { said.r#type };
    if !KINDS.contains(&kind.as_str()) {
        let why = format!("\"{kind}\" is none of {}", KINDS.join(", "));
        return Err(Error::invalid("certificate type", why));
    }
    if !said.projects.is_empty() && !said.restricted {
        let why = "projects are for restricted certificates";
        return Err(Error::invalid("certificate", why));
    }
    for project in &said.projects {
        projects::get(db, project)?.ok_or_else(|| Error::not_found("project", project))?;
    }
    Ok(rows::Certificate {
        id: 0,
        fingerprint: tls::fingerprint(&der),
        certificate: tls::to_pem(&der),
        kind,
        name: said.name,
        restricted: said.restricted,
        projects: said.projects,
    })
}

fn unreadable(error: &std::io::Error) -> Error {
    Error::invalid("certificate", format!("it cannot be read: {error}"))
}

/// The address of a certificate in the API.
pub fn address(fingerprint: &str) -> String {
    url::of("certificates", fingerprint, DEFAULT_PROJECT)
}
