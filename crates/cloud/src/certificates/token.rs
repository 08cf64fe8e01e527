//! Tokens: whoever brings one is trusted, once.
//!
//! A token is an operation of its own class, as with LXD: its metadata hold the secret and where the server is,
//! clients make the text that is handed on of it, and cancelling it takes it back.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::Utc;
use options::{Options, server::ServerOptions};
use serde_json::json;
use tasks::{Operation, Request};
use uuid::Uuid;
use wire::{CertificateAddToken, CertificatesPost, OperationClass, Timestamp};

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
        Ok::<_, Error>(ServerOptions::parse(&server::get(db)?)?.remote_token_expiry)
    })?;
    let until = expiry.and_then(|span| span.after(Utc::now()));
    let secret = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    let asked = json!({
        "name": post.name,
        "type": post.r#type,
        "restricted": post.restricted,
        "projects": post.projects,
        "token": true,
        "certificate": "",
    });
    let mut request = Request::new("Executing operation")
        .requestor(caller.requestor.clone())
        .resource("certificates", "/1.0/certificates")
        .metadata("secret", secret)
        .metadata("fingerprint", world.identity()?.fingerprint())
        .metadata("addresses", addresses(world)?)
        .metadata("request", asked);
    if let Some(until) = until {
        request = request.metadata("expiresAt", Timestamp::from(until).to_string());
    }
    let operation = world.operations.token(request)?;
    if let Some(until) = until {
        let (operation, left) = (operation.clone(), until - Utc::now());
        tokio::spawn(async move {
            tokio::time::sleep(left.to_std().unwrap_or_default()).await;
            // It may have been spent.
            let _ = operation.cancel();
        });
    }
    Ok(operation)
}

/// Uses a token up: the text of one, or its secret alone.
pub(super) fn spend(world: &World, text: &str) -> Result<Promise> {
    let decoded = STANDARD.decode(text.trim()).ok();
    let decoded =
        decoded.and_then(|json| serde_json::from_slice::<CertificateAddToken>(&json).ok());
    let secret = decoded.map_or_else(|| text.trim().to_owned(), |token| token.secret);
    let open = |operation: &Operation| {
        operation.request().class == OperationClass::Token && !operation.status().is_final()
    };
    let same = |operation: &Operation| {
        operation.metadata("secret").is_some_and(|kept| matches_secret(kept.as_str(), &secret))
    };
    let found = world.operations.list(None).into_iter().find(|one| open(one) && same(one));
    // Whoever spends it first has it.
    let Some(token) = found.filter(Operation::spend) else { return Err(Error::Forbidden) };
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

/// Compares in a time that tells nothing of where two secrets part.
fn matches_secret(kept: Option<&str>, given: &str) -> bool {
    let kept = kept.unwrap_or_default();
    let differ = kept.bytes().zip(given.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    !kept.is_empty() && kept.len() == given.len() && differ == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_the_same_or_not() {
        assert!(matches_secret(Some("abc"), "abc"));
        for other in ["", "ab", "abcd", "abd", "xbc"] {
            assert!(!matches_secret(Some("abc"), other), "{other}");
        }
        assert!(!matches_secret(Some(""), ""));
        assert!(!matches_secret(None, ""));
    }
}
