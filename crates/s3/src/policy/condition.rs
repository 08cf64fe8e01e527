//! Conditions of a statement: an operator, a key, and values of which one must be.

use std::net::IpAddr;

use serde_json::Value;

use super::{Wrong, pattern::matches, texts};

/// Keys that are known of a request, in small letters.
const KEYS: [&str; 11] = [
    "aws:sourceip",
    "aws:securetransport",
    "aws:referer",
    "aws:useragent",
    "aws:username",
    "s3:prefix",
    "s3:delimiter",
    "s3:max-keys",
    "s3:versionid",
    "s3:x-amz-acl",
    "s3:x-amz-copy-source",
];
/// Beginnings of keys that go on with the name of a tag.
const TAGS: [&str; 2] = ["s3:existingobjecttag/", "s3:requestobjecttag/"];

/// How a value is compared.
#[derive(Debug, Clone, Copy)]
enum Compare {
    Text,
    TextOfAnyCase,
    Like,
    Bool,
    Numeric(fn(f64, f64) -> bool),
    Ip,
    Null,
}

/// Operators by their names; the last word says whether they hold where the comparison does not.
const OPERATORS: [(&str, Compare, bool); 15] = [
    ("StringEquals", Compare::Text, false),
    ("StringNotEquals", Compare::Text, true),
    ("StringEqualsIgnoreCase", Compare::TextOfAnyCase, false),
    ("StringNotEqualsIgnoreCase", Compare::TextOfAnyCase, true),
    ("StringLike", Compare::Like, false),
    ("StringNotLike", Compare::Like, true),
    ("Bool", Compare::Bool, false),
    ("NumericEquals", Compare::Numeric(|a, b| a == b), false),
    ("NumericLessThan", Compare::Numeric(|a, b| a < b), false),
    ("NumericLessThanEquals", Compare::Numeric(|a, b| a <= b), false),
    ("NumericGreaterThan", Compare::Numeric(|a, b| a > b), false),
    ("NumericGreaterThanEquals", Compare::Numeric(|a, b| a >= b), false),
    ("IpAddress", Compare::Ip, false),
    ("NotIpAddress", Compare::Ip, true),
    ("Null", Compare::Null, false),
];

/// A condition that is understood.
#[derive(Debug)]
pub(super) struct Condition {
    compare: Compare,
    negated: bool,
    /// Whether it holds where the request has nothing by that key.
    if_exists: bool,
    /// As facts are asked for: all in small letters but the name of a tag.
    key: String,
    values: Vec<String>,
}

impl Condition {
    pub(super) fn all(given: &Value) -> Result<Vec<Condition>, Wrong> {
        let Value::Object(operators) = given else { return Err("Condition is an object".into()) };
        let mut found = Vec::new();
        for (name, keys) in operators {
            let Value::Object(keys) = keys else { return Err(format!("{name} is an object")) };
            for (key, values) in keys {
                found.push(Condition::parse(name, key, values)?);
            }
        }
        Ok(found)
    }

    fn parse(name: &str, key: &str, values: &Value) -> Result<Condition, Wrong> {
        let (plain, if_exists) = match name.strip_suffix("IfExists") {
            Some(plain) => (plain, true),
            None => (name, false),
        };
        let found = OPERATORS.iter().find(|(known, ..)| *known == plain);
        let Some((_, compare, negated)) = found else {
            let known: Vec<&str> = OPERATORS.iter().map(|(known, ..)| *known).collect();
            return Err(format!("condition {name:?} is not supported: {}", known.join(", ")));
        };
        let values = texts(key, values)?;
        if matches!(compare, Compare::Ip)
            && let Some(bad) = values.iter().find(|value| network(value).is_none())
        {
            return Err(format!("{bad:?} is no address and no network"));
        }
        let condition =
            Condition { compare: *compare, negated: *negated, if_exists, key: known(key)?, values };
        Ok(condition)
    }

    pub(super) fn holds(&self, facts: &dyn Fn(&str) -> Option<String>) -> bool {
        let fact = facts(&self.key);
        if matches!(self.compare, Compare::Null) {
            return self.values.iter().any(|value| (value == "true") == fact.is_none());
        }
        match fact {
            None => self.negated || self.if_exists,
            Some(fact) => self.values.iter().any(|value| self.is(&fact, value)) != self.negated,
        }
    }

    fn is(&self, fact: &str, value: &str) -> bool {
        match self.compare {
            Compare::Text => fact == value,
            Compare::TextOfAnyCase | Compare::Bool => fact.eq_ignore_ascii_case(value),
            Compare::Like => matches(value, fact),
            Compare::Numeric(is) => match (fact.parse(), value.parse()) {
                (Ok(fact), Ok(value)) => is(fact, value),
                _ => false,
            },
            Compare::Ip => match (fact.parse(), network(value)) {
                (Ok(ip), Some((base, bits))) => within(ip, base, bits),
                _ => false,
            },
            Compare::Null => false,
        }
    }

    /// Whether it keeps the whole world from being meant.
    pub(super) fn narrows(&self) -> bool {
        match self.key.as_str() {
            "aws:sourceip" => {
                !self.negated
                    && !self.if_exists
                    && !self
                        .values
                        .iter()
                        .any(|value| network(value).is_some_and(|(_, bits)| bits < 8))
            }
            "aws:username" => !self.negated && !self.if_exists,
            _ => false,
        }
    }
}

/// The key as facts are asked for.
fn known(key: &str) -> Result<String, Wrong> {
    let small = key.to_ascii_lowercase();
    if let Some(start) = TAGS.iter().find(|start| small.starts_with(**start)) {
        return Ok(format!("{start}{}", &key[start.len()..]));
    }
    match KEYS.contains(&small.as_str()) {
        true => Ok(small),
        false => {
            let known = KEYS.join(", ");
            Err(format!(
                "condition key {key:?} is not supported: {known}, {}...",
                TAGS.join("..., ")
            ))
        }
    }
}

/// An address and how many of its bits count.
fn network(text: &str) -> Option<(IpAddr, u32)> {
    let (base, bits) = match text.split_once('/') {
        Some((base, bits)) => (base.parse::<IpAddr>().ok()?, Some(bits.parse::<u32>().ok()?)),
        None => (text.parse::<IpAddr>().ok()?, None),
    };
    let most = if base.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(most);
    (bits <= most).then_some((base, bits))
}

fn within(ip: IpAddr, base: IpAddr, bits: u32) -> bool {
    match (ip.to_canonical(), base) {
        (IpAddr::V4(ip), IpAddr::V4(base)) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            ip.to_bits() & mask == base.to_bits() & mask
        }
        (IpAddr::V6(ip), IpAddr::V6(base)) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            ip.to_bits() & mask == base.to_bits() & mask
        }
        _ => false,
    }
}
