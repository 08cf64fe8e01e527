//! Schedules.

use std::fmt;
use std::ops::RangeInclusive;

use super::value;

/// When to do something again and again: a cron expression of five fields, or words such as
/// `@daily, @startup`.
///
/// Kept as text; what it means in time is for the scheduler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron(String);

const WORDS: [&str; 9] = [
    "@hourly",
    "@daily",
    "@midnight",
    "@weekly",
    "@monthly",
    "@annually",
    "@yearly",
    "@startup",
    "@never",
];
const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

impl Cron {
    /// Each schedule by itself: a word, or the expression.
    pub fn schedules(&self) -> impl Iterator<Item = &str> {
        let several = self.0.starts_with('@');
        self.0.split(move |c| several && c == ',').map(str::trim)
    }

    fn read(text: &str) -> Option<Self> {
        let right = if text.starts_with('@') {
            text.split(',').all(|word| WORDS.contains(&word.trim()))
        } else {
            is_expression(text)
        };
        right.then(|| Self(text.to_owned()))
    }
}

fn is_expression(text: &str) -> bool {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields[..] else { return false };
    is_field(minute, 0..=59, &[])
        && is_field(hour, 0..=23, &[])
        && is_field(day, 1..=31, &[])
        && is_field(month, 1..=12, &MONTHS)
        && is_field(weekday, 0..=7, &DAYS)
}

/// A field: parts separated by commas, each `*`, a number or a range, with `/step` behind it if
/// need be.
fn is_field(field: &str, range: RangeInclusive<u32>, names: &[&str]) -> bool {
    field.split(',').all(|part| {
        let (base, step) = part.split_once('/').unwrap_or((part, "1"));
        let number = |text: &str| number(text, names).filter(|n| range.contains(n));
        let based = match base.split_once('-') {
            Some((first, last)) => {
                matches!((number(first), number(last)), (Some(first), Some(last)) if first <= last)
            }
            None => base == "*" || base == "?" || number(base).is_some(),
        };
        based && step.parse::<u32>().is_ok_and(|step| (1..=*range.end()).contains(&step))
    })
}

fn number(text: &str, names: &[&str]) -> Option<u32> {
    let named = names.iter().position(|name| name.eq_ignore_ascii_case(text));
    // Months count from 1, week days from 0.
    let first = u32::from(names.len() == 12);
    match named {
        Some(at) => u32::try_from(at).ok().map(|at| at + first),
        None => text.parse().ok(),
    }
}

value!(
    Cron,
    "cron",
    "five cron fields such as `0 6 * * *`, or words such as @hourly, @daily or @startup",
    Cron::read
);

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
