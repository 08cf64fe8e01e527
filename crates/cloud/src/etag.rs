//! Entity tags: a fingerprint of what a client may edit, so that it can refuse to overwrite what
//! it has not seen.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// What a client sent as `If-Match`; `None`: it does not care.
pub type IfMatch = Option<String>;

/// The tag of `editable`, in hexadecimal, without quotes.
pub fn of(editable: &impl Serialize) -> String {
    let json = serde_json::to_vec(editable).unwrap_or_default();
    Sha256::digest(json).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Fails when the client saw another state of `name` than `editable`.
pub fn check(
    wanted: &IfMatch,
    editable: &impl Serialize,
    what: &'static str,
    name: &str,
) -> Result<()> {
    match wanted {
        Some(tag) if tag.trim_matches('"') != of(editable) && tag != "*" => {
            Err(Error::Changed { what, name: name.to_owned() })
        }
        _ => Ok(()),
    }
}
