//! How snapshots are called that are given no name.

use std::fmt;

use chrono::{DateTime, NaiveDateTime};

use super::value;
use crate::names::check_snapshot;

/// A template of names: `%d` is a number that counts up, `{{ creation_date }}` the moment, with
/// `|date:'...'` written as the given example writes 2006-01-02 15:04:05 (the layouts of Go).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotPattern {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// A format of `strftime(3)`.
    Date(String),
    Number,
}

/// The parts of Go's example date and what `strftime` calls them; of those that begin alike the
/// longest first.
const LAYOUT: [(&str, &str); 25] = [
    ("January", "%B"),
    ("Jan", "%b"),
    ("Monday", "%A"),
    ("Mon", "%a"),
    ("2006", "%Y"),
    ("-0700", "%z"),
    ("-07:00", "%:z"),
    ("Z0700", "%z"),
    ("002", "%j"),
    ("01", "%m"),
    ("02", "%d"),
    ("03", "%I"),
    ("04", "%M"),
    ("05", "%S"),
    ("06", "%y"),
    ("15", "%H"),
    ("_2", "%e"),
    ("PM", "%p"),
    ("pm", "%P"),
    ("MST", "%Z"),
    ("1", "%-m"),
    ("2", "%-d"),
    ("3", "%-I"),
    ("4", "%-M"),
    ("5", "%-S"),
];

/// How a date is written when the pattern does not say.
const PLAIN_DATE: &str = "%Y-%m-%d_%H-%M-%S";

impl SnapshotPattern {
    /// The name of a snapshot taken `now` (local time) beside those that are `taken`: the number is
    /// one more than the highest; without one a name that is taken gets one behind it.
    pub fn name(&self, now: NaiveDateTime, taken: &[&str]) -> String {
        match self.parts.iter().position(|part| *part == Part::Number) {
            Some(at) => {
                let (before, after) =
                    (written(&self.parts[..at], now), written(&self.parts[at + 1..], now));
                format!("{before}{}{after}", next(&before, &after, taken))
            }
            None => {
                let name = written(&self.parts, now);
                match taken.contains(&name.as_str()) {
                    true => format!("{name}-{}", next(&format!("{name}-"), "", taken)),
                    false => name,
                }
            }
        }
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, inside)) = rest.split_once("{{") {
            let (inside, after) = inside.split_once("}}")?;
            numbered(before, &mut parts);
            parts.push(Part::Date(date(inside.trim())?));
            rest = after;
        }
        numbered(rest, &mut parts);
        let one_number = parts.iter().filter(|part| **part == Part::Number).count() < 2;
        let pattern = Self { text: text.to_owned(), parts };
        let sample = DateTime::from_timestamp(0, 0)?.naive_utc();
        (one_number && check_snapshot(&pattern.name(sample, &[])).is_ok()).then_some(pattern)
    }
}

/// One more than the highest number between the two.
fn next(before: &str, after: &str, taken: &[&str]) -> u64 {
    let number = |name: &&str| name.strip_prefix(before)?.strip_suffix(after)?.parse::<u64>().ok();
    taken.iter().filter_map(number).max().map_or(0, |number| number.saturating_add(1))
}

fn written(parts: &[Part], now: NaiveDateTime) -> String {
    let mut name = String::new();
    for part in parts {
        match part {
            Part::Text(text) => name.push_str(text),
            Part::Date(format) => name.push_str(&now.and_utc().format(format).to_string()),
            Part::Number => {}
        }
    }
    name
}

fn numbered(text: &str, parts: &mut Vec<Part>) {
    for (at, piece) in text.split("%d").enumerate() {
        parts.extend((at > 0).then_some(Part::Number));
        parts.extend((!piece.is_empty()).then(|| Part::Text(piece.to_owned())));
    }
}

/// The format of what stands in braces.
fn date(inside: &str) -> Option<String> {
    let filter = inside.strip_prefix("creation_date")?.trim_start();
    if filter.is_empty() {
        return Some(PLAIN_DATE.to_owned());
    }
    let layout = filter.strip_prefix('|')?.trim_start().strip_prefix("date:")?.trim();
    let quote = layout.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let mut rest = layout.strip_prefix(quote)?.strip_suffix(quote)?;
    let mut format = String::new();
    while let Some(c) = rest.chars().next() {
        let known = LAYOUT.iter().find(|(go, _)| rest.starts_with(go));
        let (go, own) = known.map_or((&rest[..c.len_utf8()], ""), |(go, own)| (*go, *own));
        match (own, c) {
            ("", '%') => format.push_str("%%"),
            ("", c) => format.push(c),
            (own, _) => format.push_str(own),
        }
        rest = &rest[go.len()..];
    }
    Some(format)
}

value!(
    SnapshotPattern,
    "snapshot name pattern",
    "a name such as snap%d or auto-{{ creation_date|date:'2006-01-02_15-04' }}, of letters, digits and any of -_.+@=%",
    SnapshotPattern::read
);

impl fmt::Display for SnapshotPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(pattern: &str, taken: &[&str]) -> String {
        let now = "2026-03-01T09:05:07".parse().unwrap();
        SnapshotPattern::read(pattern).unwrap().name(now, taken)
    }

    #[test]
    fn numbers_count_up() {
        assert_eq!(name("snap%d", &[]), "snap0");
        assert_eq!(name("snap%d", &["snap0", "snap7", "snapx", "other9"]), "snap8");
        assert_eq!(name("a%db", &["a1b"]), "a2b");
        assert_eq!(name("daily", &[]), "daily");
        assert_eq!(name("daily", &["daily"]), "daily-0");
        assert_eq!(name("daily", &["daily", "daily-0"]), "daily-1");
    }

    #[test]
    fn dates_are_written_as_the_example() {
        assert_eq!(
            name("{{ creation_date|date:'2006-01-02_15-04-05' }}", &[]),
            "2026-03-01_09-05-07"
        );
        assert_eq!(name("auto-{{creation_date|date:\"06Jan2\"}}-%d", &[]), "auto-26Mar1-0");
        assert_eq!(name("{{ creation_date }}", &[]), "2026-03-01_09-05-07");
    }

    #[test]
    fn what_gives_no_name_is_refused() {
        for bad in [
            "a b",
            "a/b",
            "{{ creation_date|date:'15:04' }}",
            "{{ name }}",
            "{{ creation_date",
            "%d%d",
            "{{ creation_date|date:2006 }}",
        ] {
            assert!(SnapshotPattern::read(bad).is_none(), "{bad}");
        }
    }
}
