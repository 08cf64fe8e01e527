//! A statement of a policy: for whom, for what, whereon, when.

use serde_json::Value;

use super::{Asked, Effect, Wrong, condition::Condition, only, pattern::matches, texts};

const FIELDS: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

/// Values of a field, or all but those.
#[derive(Debug)]
struct Either<T> {
    values: Vec<T>,
    others: bool,
}

impl<T> Either<T> {
    fn has(&self, is: impl Fn(&T) -> bool) -> bool {
        self.values.iter().any(is) != self.others
    }
}

/// Who is meant.
#[derive(Debug, PartialEq, Eq)]
enum Principal {
    /// Everybody, signed or not.
    Anybody,
    /// Whoever signs with that access key.
    Key(String),
}

/// A statement that is understood.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) effect: Effect,
    principals: Either<Principal>,
    /// Patterns in small letters.
    actions: Either<String>,
    resources: Either<String>,
    conditions: Vec<Condition>,
}

impl Statement {
    pub(super) fn parse(value: Value, bucket: &str) -> Result<Statement, Wrong> {
        let Value::Object(fields) = value else { return Err("a Statement is an object".into()) };
        only(&fields, &FIELDS)?;
        let effect = match fields.get("Effect").and_then(Value::as_str) {
            Some("Allow") => Effect::Allow,
            Some("Deny") => Effect::Deny,
            other => return Err(format!("Effect {other:?}: \"Allow\" or \"Deny\"")),
        };
        let either = |name: &str, not: &str| match (fields.get(name), fields.get(not)) {
            (Some(value), None) => Ok((value, false)),
            (None, Some(value)) => Ok((value, true)),
            _ => Err(format!("a Statement has either {name} or {not}")),
        };
        let (given, others) = either("Principal", "NotPrincipal")?;
        let principals = Either { values: principals(given)?, others };
        let (given, others) = either("Action", "NotAction")?;
        let values =
            texts("Action", given)?.iter().map(|one| action(one)).collect::<Result<_, _>>()?;
        let actions = Either { values, others };
        let (given, others) = either("Resource", "NotResource")?;
        let resources = Either { values: texts("Resource", given)?, others };
        resources.values.iter().try_for_each(|one| resource(one, bucket))?;
        let conditions = match fields.get("Condition") {
            Some(given) => Condition::all(given)?,
            None => Vec::new(),
        };
        Ok(Statement { effect, principals, actions, resources, conditions })
    }

    pub(super) fn is_of(&self, asked: &Asked<'_>) -> bool {
        let action = asked.action.to_ascii_lowercase();
        let is_who = |principal: &Principal| match principal {
            Principal::Anybody => true,
            Principal::Key(key) => asked.who == Some(key.as_str()),
        };
        self.principals.has(is_who)
            && self.actions.has(|pattern| matches(pattern, &action))
            && self.resources.has(|pattern| matches(pattern, asked.resource))
            && self.conditions.iter().all(|condition| condition.holds(asked.facts))
    }

    pub(super) fn is_public(&self) -> bool {
        self.effect == Effect::Allow
            && self.principals.has(|principal| *principal == Principal::Anybody)
            && !self.conditions.iter().any(Condition::narrows)
    }
}

/// `"*"`, or `{"AWS": ...}` with `*`, an access key, or an ARN that ends with `:user/<access key>`.
fn principals(value: &Value) -> Result<Vec<Principal>, Wrong> {
    if value.as_str() == Some("*") {
        return Ok(vec![Principal::Anybody]);
    }
    let Value::Object(kinds) = value else {
        return Err(format!("Principal {value}: \"*\" or {{\"AWS\": ...}}"));
    };
    only(kinds, &["AWS"])?;
    let Some(given) = kinds.get("AWS") else { return Err("a Principal has AWS".into()) };
    texts("Principal", given)?.into_iter().map(principal).collect()
}

fn principal(text: String) -> Result<Principal, Wrong> {
    if text == "*" {
        return Ok(Principal::Anybody);
    }
    let key = match text.strip_prefix("arn:") {
        None => Some(text.as_str()),
        Some(rest) => rest.split_once(":user/").map(|(_, key)| key),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.+@".contains(c);
    match key.filter(|key| !key.is_empty() && key.chars().all(plain)) {
        Some(key) => Ok(Principal::Key(key.to_owned())),
        None => {
            Err(format!("Principal {text:?}: *, an access key, or arn:aws:iam:::user/ACCESS-KEY"))
        }
    }
}

fn action(text: &str) -> Result<String, Wrong> {
    let small = text.to_ascii_lowercase();
    match small == "*" || small.strip_prefix("s3:").is_some_and(|rest| !rest.is_empty()) {
        true => Ok(small),
        false => Err(format!("Action {text:?}: s3:... or *")),
    }
}

/// A policy is of its own bucket alone.
fn resource(text: &str, bucket: &str) -> Result<(), Wrong> {
    let named = text.strip_prefix("arn:aws:s3:::");
    let named = named.map(|rest| rest.split_once('/').map_or(rest, |(bucket, _)| bucket));
    match text == "*" || named.is_some_and(|pattern| matches(pattern, bucket)) {
        true => Ok(()),
        false => {
            Err(format!("Resource {text:?}: arn:aws:s3:::{bucket} or arn:aws:s3:::{bucket}/..."))
        }
    }
}
