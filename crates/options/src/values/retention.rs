//! Which snapshots of a schedule are kept.

use std::{collections::BTreeSet, fmt};

use chrono::{Datelike, NaiveDateTime, Timelike};

use super::value;
use crate::Value;

/// Rules such as `last=3, daily=7, weekly=4`: of the days (weeks ...) that have a snapshot, so many
/// keep their newest one. What no rule keeps may go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Retention {
    /// How many each unit keeps, in the order of [`UNITS`]; 0 is not named.
    counts: [u32; UNITS.len()],
}

/// What two snapshots in the same unit have in common, from their place and moment.
type Period = fn(usize, NaiveDateTime) -> String;

const UNITS: [(&str, Period); 6] = [
    ("last", |place, _| place.to_string()),
    ("hourly", |_, time| format!("{} {}", time.date(), time.hour())),
    ("daily", |_, time| time.date().to_string()),
    ("weekly", |_, time| format!("{:?}", time.iso_week())),
    ("monthly", |_, time| format!("{}-{}", time.year(), time.month())),
    ("yearly", |_, time| time.year().to_string()),
];

impl Retention {
    /// Which of these moments (local time, in any order) are kept, by their places. The newest is
    /// always among them.
    pub fn kept(&self, moments: &[NaiveDateTime]) -> BTreeSet<usize> {
        let mut newest_first: Vec<usize> = (0..moments.len()).collect();
        newest_first.sort_by_key(|place| std::cmp::Reverse((moments[*place], *place)));
        let mut kept = BTreeSet::new();
        for ((_, period), count) in UNITS.iter().zip(self.counts) {
            let mut seen = BTreeSet::new();
            for place in &newest_first {
                if seen.len() >= count as usize {
                    break;
                }
                if seen.insert(period(*place, moments[*place])) {
                    kept.insert(*place);
                }
            }
        }
        kept
    }

    fn read(text: &str) -> Option<Self> {
        let mut rules = Self::default();
        for rule in text.split(',') {
            let (unit, count) = rule.split_once('=')?;
            let place = UNITS.iter().position(|(name, _)| *name == unit.trim())?;
            let count = u32::parse(count.trim()).ok().filter(|count| *count > 0)?;
            if std::mem::replace(&mut rules.counts[place], count) > 0 {
                return None;
            }
        }
        Some(rules)
    }
}

value!(
    Retention,
    "retention",
    "rules such as last=3, daily=7, weekly=4: each of last, hourly, daily, weekly, monthly and \
     yearly once, with a number from 1",
    Retention::read
);

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for ((unit, _), count) in UNITS.iter().zip(self.counts).filter(|(_, count)| *count > 0) {
            write!(f, "{separator}{unit}={count}")?;
            separator = ", ";
        }
        Ok(())
    }
}
