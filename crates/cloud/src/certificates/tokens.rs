//! Tokens: whoever brings one gets what it was made for, once.
//!
//! A token is an operation of its own class, as with LXD: its metadata hold the secret and where the server is,
//! clients make the text that is handed on of it, and cancelling it takes it back.

use chrono::{DateTime, Utc};
use serde_json::Value;
use tasks::{Operation, Request};
use uuid::Uuid;
use wire::{OperationClass, Timestamp};

use crate::{Caller, Error, Result, World};

/// What a token says.
pub(crate) struct Token<'a> {
    /// Who makes it.
    pub(crate) caller: &'a Caller,
    /// What it is about: kind and address.
    pub(crate) resource: (&'static str, &'static str),
    /// The certificate that the server is known by.
    pub(crate) fingerprint: String,
    /// Where it is.
    pub(crate) addresses: Vec<String>,
    /// Until when it can be used; for ever without.
    pub(crate) until: Option<DateTime<Utc>>,
    /// What it is for. The first key tells tokens of one kind from those of another.
    pub(crate) metadata: Vec<(&'static str, Value)>,
}

/// Makes a token. The operation goes on until it is spent, cancelled, or out of date.
pub(crate) fn make(world: &World, token: Token<'_>) -> Result<Operation> {
    let secret = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    let mut request = Request::new("Executing operation")
        .requestor(token.caller.requestor.clone())
        .resource(token.resource.0, token.resource.1)
        .metadata("secret", secret)
        .metadata("fingerprint", token.fingerprint)
        .metadata("addresses", token.addresses);
    for (key, value) in token.metadata {
        request = request.metadata(key, value);
    }
    if let Some(until) = token.until {
        request = request.metadata("expiresAt", Timestamp::from(until).to_string());
    }
    let operation = world.operations.token(request)?;
    if let Some(until) = token.until {
        let (operation, left) = (operation.clone(), until - clock::utc());
        tokio::spawn(async move {
            tokio::time::sleep(left.to_std().unwrap_or_default()).await;
            // It may have been spent.
            let _ = operation.cancel();
        });
    }
    Ok(operation)
}

/// Uses up the token of a kind (the key that tells it) with this secret.
pub(crate) fn spend(world: &World, kind: &str, secret: &str) -> Result<Operation> {
    // Whoever spends it first has it.
    Some(find(world, kind, secret)?).filter(Operation::spend).ok_or(Error::Forbidden)
}

/// The token of a kind with this secret, if it can still be used.
pub(crate) fn find(world: &World, kind: &str, secret: &str) -> Result<Operation> {
    let open = |operation: &Operation| {
        operation.request().class == OperationClass::Token && !operation.status().is_final()
    };
    let same =
        |operation: &Operation| operation.metadata(kind).is_some() && opens(operation, secret);
    let mut all = world.operations.list(None).into_iter();
    all.find(|one| open(one) && same(one)).ok_or(Error::Forbidden)
}

/// Whether an operation was made for whoever has this secret.
pub fn opens(operation: &Operation, secret: &str) -> bool {
    operation.metadata("secret").is_some_and(|kept| matches_secret(kept.as_str(), secret))
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
