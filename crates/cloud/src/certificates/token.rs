//! Tokens of clients: whoever brings one is trusted, once.

use base64::{Engine, engine::general_purpose::STANDARD};
use options::{Options, server::ServerOptions};
use serde_json::json;
use tasks::Operation;
use wire::{CertificateAddToken, CertificatesPost};

use super::tokens::{self, Token};
use crate::{
    Caller, Error, Result, World,
    db::{projects, server},
    server::addresses,
};

/// What a token says of the client that will bring it.
pub(super) struct Promise {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) restricted: bool,
    pub(super) projects: Vec<String>,
}

/// Makes a token. The operation goes on until it is spent, cancelled, or out of date.
pub fn token(world: &World, caller: &Caller, post: &CertificatesPost) -> Result<Operation> {
    if post.name.is_empty() {
        return Err(Error::invalid("name", "the client that will bring the token needs one"));
    }
    let expiry = world.store.read(|db| {
        for project in &post.projects {
            projects::get(db, project)?.ok_or_else(|| Error::not_found("project", project))?;
        }
        Ok::<_, Error>(ServerOptions::parse_known(&server::get(db)?)?.remote_token_expiry)
    })?;
    let until = expiry.and_then(|span| span.after(clock::utc()));
    let asked = json!({
        "name": post.name,
        "type": post.r#type,
        "restricted": post.restricted,
        "projects": post.projects,
        "token": true,
        "certificate": "",
    });
    tokens::make(
        world,
        Token {
            caller,
            resource: ("certificates", "/1.0/certificates"),
            fingerprint: world.identity()?.fingerprint(),
            addresses: addresses(world)?,
            until,
            metadata: vec![("request", asked)],
        },
    )
}

/// Uses a token up: the text of one, or its secret alone.
pub(super) fn spend(world: &World, text: &str) -> Result<Promise> {
    let decoded = STANDARD.decode(text.trim()).ok();
    let decoded =
        decoded.and_then(|json| serde_json::from_slice::<CertificateAddToken>(&json).ok());
    let secret = decoded.map_or_else(|| text.trim().to_owned(), |token| token.secret);
    let token = tokens::spend(world, "request", &secret)?;
    let asked = token.metadata("request").unwrap_or_default();
    let text = |key: &str| asked[key].as_str().unwrap_or_default().to_owned();
    let projects = asked["projects"].as_array().into_iter().flatten();
    Ok(Promise {
        name: text("name"),
        kind: text("type"),
        restricted: asked["restricted"].as_bool().unwrap_or(true),
        projects: projects.filter_map(|name| Some(name.as_str()?.to_owned())).collect(),
    })
}
