//! LXD's filter language: `status eq Running and config.image.os eq Debian`.
//!
//! ```text
//! filter  = clause { ("and" | "or") clause }         read from left to right, as LXD does
//! clause  = ["not"] field ("eq" | "ne") value        value: a word, or quoted
//! ```

use serde::Serialize;
use serde_json::Value;

use crate::error::{Error, Result};

/// A filter, parsed.
pub(crate) struct Filter(Vec<Clause>);

struct Clause {
    or: bool,
    not: bool,
    field: String,
    equal: bool,
    value: String,
}

impl Filter {
    pub(crate) fn parse(text: &str) -> Result<Filter> {
        let mut words = words(text)?.into_iter();
        let mut clauses = Vec::new();
        let mut or = false;
        loop {
            let first = words.next().ok_or_else(|| bad(text, "a field is missing at its end"))?;
            let not = first.eq_ignore_ascii_case("not");
            let field = if not { words.next() } else { Some(first) };
            let (Some(field), Some(operator), Some(value)) = (field, words.next(), words.next())
            else {
                return Err(bad(text, "each clause is a field, eq or ne, and a value"));
            };
            let equal = match operator.to_ascii_lowercase().as_str() {
                "eq" => true,
                "ne" => false,
                other => return Err(bad(text, &format!("\"{other}\" is neither eq nor ne"))),
            };
            clauses.push(Clause { or, not, field, equal, value });
            or = match words.next().map(|word| word.to_ascii_lowercase()).as_deref() {
                None => return Ok(Filter(clauses)),
                Some("and") => false,
                Some("or") => true,
                Some(other) => {
                    return Err(bad(text, &format!("\"{other}\" is neither and nor or")));
                }
            };
        }
    }

    pub(crate) fn passes(&self, item: &impl Serialize) -> bool {
        let value = serde_json::to_value(item).unwrap_or(Value::Null);
        self.0.iter().fold(true, |so_far, clause| {
            let now = clause.holds(&value);
            if clause.or { so_far || now } else { so_far && now }
        })
    }
}

impl Clause {
    fn holds(&self, item: &Value) -> bool {
        let same = match find(item, &self.field) {
            Some(Value::String(text)) => text.eq_ignore_ascii_case(&self.value),
            // A number or a boolean, by its words.
            Some(other) => format!("{other}") == self.value,
            None => self.value.is_empty(),
        };
        (same == self.equal) != self.not
    }
}

/// Goes down the dots of a field; a key may have dots itself.
fn find<'a>(item: &'a Value, field: &str) -> Option<&'a Value> {
    let map = item.as_object()?;
    if let Some(found) = map.get(field) {
        return Some(found);
    }
    let dots = field.match_indices('.').map(|(at, _)| at);
    dots.rev().find_map(|at| find(map.get(&field[..at])?, &field[at + 1..]))
}

/// Splits at blanks outside quotes.
fn words(text: &str) -> Result<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in text.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err(bad(text, "a quote is not closed"));
    }
    words.extend(word);
    Ok(words)
}

fn bad(text: &str, why: &str) -> Error {
    Error::bad("filter", format!("\"{text}\": {why}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn clauses_are_read_from_left_to_right() {
        let item = json!({"name": "web", "status": "Running", "config": {"image.os": "Debian"}});
        for (text, passes) in [
            ("name eq web", true),
            ("name ne web", false),
            ("not name eq db", true),
            ("status eq running and config.image.os eq \"Debian\"", true),
            ("name eq db or status eq Running", true),
            ("name eq db or status eq Running and name eq x", false),
            ("config.user.x eq ''", true),
        ] {
            assert_eq!(Filter::parse(text).unwrap().passes(&item), passes, "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "name", "name eq", "name is web", "name eq web but", "name eq 'web"] {
            assert!(Filter::parse(text).is_err(), "{text:?}");
        }
    }
}
