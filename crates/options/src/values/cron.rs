//! Schedules.

use std::fmt;
use std::iter::successors;
use std::ops::RangeInclusive;

use chrono::{Datelike, NaiveDateTime, TimeDelta, Timelike};

use super::value;

/// When to do something again and again: a cron expression of five fields, or words such as
/// `@daily, @startup`. Kept as text.
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

    /// Whether it says a minute that began after `since` and not after `until`, both local time.
    /// What lies more than a month back is forgotten.
    pub fn is_due(&self, since: NaiveDateTime, until: NaiveDateTime) -> bool {
        let times: Vec<Times> = self.schedules().filter_map(Times::read).collect();
        let began = until.with_second(0).and_then(|time| time.with_nanosecond(0));
        let before = |time: &NaiveDateTime| time.checked_sub_signed(TimeDelta::minutes(1));
        successors(began, before)
            .take(LONGEST_GAP)
            .take_while(|minute| *minute > since)
            .any(|minute| times.iter().any(|times| times.has(minute)))
    }

    /// Whether it says `@startup`.
    pub fn at_start(&self) -> bool {
        self.schedules().any(|word| word == "@startup")
    }

    fn read(text: &str) -> Option<Self> {
        let right = if text.starts_with('@') {
            text.split(',').all(|word| WORDS.contains(&word.trim()))
        } else {
            Times::read(text).is_some()
        };
        right.then(|| Self(text.to_owned()))
    }
}

/// The minutes of a month.
const LONGEST_GAP: usize = 31 * 24 * 60;

/// The minutes of one schedule: a set of numbers a field, bit by bit.
struct Times {
    minute: u64,
    hour: u64,
    day: u64,
    month: u64,
    weekday: u64,
    /// Either of day and week day will do where both say something (POSIX, crontab).
    either: bool,
}

impl Times {
    /// What a word or an expression means in time; None when it means no time.
    fn read(text: &str) -> Option<Times> {
        let text = match text {
            "@hourly" => "0 * * * *",
            "@daily" | "@midnight" => "0 0 * * *",
            "@weekly" => "0 0 * * 0",
            "@monthly" => "0 0 1 * *",
            "@annually" | "@yearly" => "0 0 1 1 *",
            other => other,
        };
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else { return None };
        let open = |field: &str| field.starts_with(['*', '?']);
        let weekdays = field(weekday, 0..=7, &DAYS)?;
        Some(Times {
            minute: field(minute, 0..=59, &[])?,
            hour: field(hour, 0..=23, &[])?,
            day: field(day, 1..=31, &[])?,
            month: field(month, 1..=12, &MONTHS)?,
            // Sunday is 0 and 7.
            weekday: weekdays | weekdays >> 7 & 1,
            either: !open(day) && !open(weekday),
        })
    }

    fn has(&self, time: NaiveDateTime) -> bool {
        let among = |set: u64, number: u32| set >> number & 1 == 1;
        let day = among(self.day, time.day());
        let weekday = among(self.weekday, time.weekday().num_days_from_sunday());
        among(self.minute, time.minute())
            && among(self.hour, time.hour())
            && among(self.month, time.month())
            && if self.either { day || weekday } else { day && weekday }
    }
}

/// A field: parts separated by commas, each `*`, a number or a range, with `/step` behind it if
/// need be.
fn field(field: &str, range: RangeInclusive<u32>, names: &[&str]) -> Option<u64> {
    let part = |part: &str| -> Option<u64> {
        let (base, step) = part.split_once('/').unwrap_or((part, "1"));
        let number = |text: &str| number(text, names).filter(|n| range.contains(n));
        let (first, last) = match base.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None if base == "*" || base == "?" => (*range.start(), *range.end()),
            // `5/15` begins at five, `5` is only five.
            None if part.contains('/') => (number(base)?, *range.end()),
            None => (number(base)?, number(base)?),
        };
        let step = step.parse().ok().filter(|step| (1..=*range.end()).contains(step))?;
        let set = (first..=last).step_by(usize::try_from(step).ok()?);
        (first <= last).then(|| set.fold(0, |set, number| set | 1 << number))
    };
    field.split(',').try_fold(0, |set, text| Some(set | part(text)?))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap()
    }

    fn due(schedule: &str, since: &str, until: &str) -> bool {
        Cron::read(schedule).unwrap().is_due(at(since), at(until))
    }

    #[test]
    fn a_minute_is_due_once() {
        for (schedule, since, until, wanted) in [
            ("0 6 * * *", "2026-03-01 05:59:30", "2026-03-01 06:00:10", true),
            ("0 6 * * *", "2026-03-01 06:00:10", "2026-03-01 06:01:10", false),
            ("0 6 * * *", "2026-03-01 06:00:00", "2026-03-01 06:00:59", false),
            ("*/15 * * * *", "2026-03-01 06:44:59", "2026-03-01 06:45:00", true),
            ("5/15 * * * *", "2026-03-01 06:34:59", "2026-03-01 06:35:00", true),
            ("@daily", "2026-03-01 10:00:00", "2026-03-04 10:00:00", true),
            ("@hourly, @never", "2026-03-01 10:00:00", "2026-03-01 10:59:59", false),
            ("@startup", "2026-03-01 10:00:00", "2026-03-09 10:59:59", false),
            ("@monthly", "2026-01-01 10:00:00", "2027-01-15 10:59:59", true),
            // 2026-03-01 is a Sunday.
            ("0 0 * * 7", "2026-02-28 23:59:00", "2026-03-01 00:00:30", true),
            ("0 0 * * MON-SAT", "2026-02-28 23:59:00", "2026-03-01 00:00:30", false),
            ("0 0 13 * SUN", "2026-02-28 23:59:00", "2026-03-01 00:00:30", true),
            ("0 0 13 * *", "2026-02-28 23:59:00", "2026-03-01 00:00:30", false),
        ] {
            assert_eq!(due(schedule, since, until), wanted, "{schedule} {since} {until}");
        }
    }
}
