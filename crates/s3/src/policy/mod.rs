//! Policies of buckets: documents that say who may do what, beyond what a key's role says. What they decide
//! is computed here from values alone; [`crate::rights`] asks.
//!
//! A word that is not known is refused when the policy is put: one that is kept and not heeded would
//! leave open what its author believes closed.

use serde_json::{Map, Value};

mod condition;
mod pattern;
mod statement;

#[cfg(test)]
mod tests;

use self::statement::Statement;

/// Bytes of a policy at most, as S3 has it.
pub(crate) const MOST: usize = 20 << 10;
/// Versions of the language that there are.
const VERSIONS: [&str; 2] = ["2012-10-17", "2008-10-17"];

/// What a policy says of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Allow,
    Deny,
}

/// A request, as a policy sees it.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// The access key that signed it; `None` for anybody.
    pub(crate) who: Option<&'a str>,
    /// Such as `s3:GetObject`.
    pub(crate) action: &'a str,
    /// Such as `arn:aws:s3:::photos/a.jpg`.
    pub(crate) resource: &'a str,
    /// What is known of it by the keys of conditions, in small letters.
    pub(crate) facts: &'a dyn Fn(&str) -> Option<String>,
}

/// A policy that is understood.
#[derive(Debug)]
pub(crate) struct Policy {
    statements: Vec<Statement>,
}

/// What a policy says that is not understood, or cannot be.
pub(crate) type Wrong = String;

impl Policy {
    /// Reads the policy of a bucket.
    pub(crate) fn parse(text: &str, bucket: &str) -> Result<Policy, Wrong> {
        let value: Value =
            serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))?;
        let Value::Object(policy) = value else { return Err("a policy is an object".into()) };
        only(&policy, &["Version", "Id", "Statement"])?;
        if let Some(version) = policy.get("Version")
            && !version.as_str().is_some_and(|version| VERSIONS.contains(&version))
        {
            return Err(format!("Version {version}: {}", VERSIONS.join(" or ")));
        }
        let statements = match policy.get("Statement") {
            Some(Value::Array(all)) if !all.is_empty() => all.clone(),
            Some(one @ Value::Object(_)) => vec![one.clone()],
            _ => return Err("a policy has a Statement".into()),
        };
        let read = |one: Value| Statement::parse(one, bucket);
        Ok(Policy { statements: statements.into_iter().map(read).collect::<Result<_, _>>()? })
    }

    /// What it says: a Deny before any Allow; nothing where no statement is of the request.
    pub(crate) fn decide(&self, asked: &Asked<'_>) -> Option<Effect> {
        let mut allowed = None;
        for statement in self.statements.iter().filter(|one| one.is_of(asked)) {
            match statement.effect {
                Effect::Deny => return Some(Effect::Deny),
                Effect::Allow => allowed = Some(Effect::Allow),
            }
        }
        allowed
    }

    /// Whether it lets anybody in.
    pub(crate) fn is_public(&self) -> bool {
        self.statements.iter().any(Statement::is_public)
    }
}

/// Refuses a field that is not among those.
fn only(map: &Map<String, Value>, known: &[&str]) -> Result<(), Wrong> {
    match map.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("{key:?} is not supported: {}", known.join(", "))),
        None => Ok(()),
    }
}

/// A text, or several.
fn texts(name: &str, value: &Value) -> Result<Vec<String>, Wrong> {
    let text = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        _ => Err(format!("{name} is a text or a list of texts")),
    };
    match value {
        Value::Array(all) if !all.is_empty() => all.iter().map(text).collect(),
        one => Ok(vec![text(one)?]),
    }
}
