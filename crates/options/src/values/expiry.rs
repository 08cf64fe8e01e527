//! Spans of time as people keep snapshots: `30d`, `1H 2M`.

use std::fmt;

use chrono::{DateTime, Days, Months, TimeDelta, Utc};

use super::value;
use crate::Value;

/// A span of time in calendar units, so that a month is a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expiry {
    /// Seconds, `S`.
    pub seconds: u32,
    /// Minutes, `M`.
    pub minutes: u32,
    /// Hours, `H`.
    pub hours: u32,
    /// Days, `d`.
    pub days: u32,
    /// Weeks, `w`.
    pub weeks: u32,
    /// Months, `m`.
    pub months: u32,
    /// Years, `y`.
    pub years: u32,
}

impl Expiry {
    /// The moment when the span that starts now is over; None beyond the calendar's end.
    pub fn after(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let months = self.years.checked_mul(12)?.checked_add(self.months)?;
        let days = u64::from(self.weeks) * 7 + u64::from(self.days);
        let (hours, minutes) = (i64::from(self.hours), i64::from(self.minutes));
        let seconds = (hours * 60 + minutes) * 60 + i64::from(self.seconds);
        now.checked_add_months(Months::new(months))?
            .checked_add_days(Days::new(days))?
            .checked_add_signed(TimeDelta::try_seconds(seconds)?)
    }

    fn read(text: &str) -> Option<Self> {
        let mut span = Self::default();
        for part in text.split_whitespace() {
            let unit = part.chars().next_back()?;
            let number = u32::parse(&part[..part.len() - unit.len_utf8()]).ok()?;
            *span.field(unit)? = number;
        }
        (span != Self::default()).then_some(span)
    }

    fn field(&mut self, unit: char) -> Option<&mut u32> {
        Some(match unit {
            'S' => &mut self.seconds,
            'M' => &mut self.minutes,
            'H' => &mut self.hours,
            'd' => &mut self.days,
            'w' => &mut self.weeks,
            'm' => &mut self.months,
            'y' => &mut self.years,
            _ => return None,
        })
    }
}

value!(
    Expiry,
    "expiry",
    "a span of time such as 30d or 1H 30M, in S, M (minutes), H, d, w, m (months) and y",
    Expiry::read
);

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.years, 'y'),
            (self.months, 'm'),
            (self.weeks, 'w'),
            (self.days, 'd'),
            (self.hours, 'H'),
            (self.minutes, 'M'),
            (self.seconds, 'S'),
        ];
        let mut separator = "";
        for (number, unit) in parts.into_iter().filter(|(number, _)| *number > 0) {
            write!(f, "{separator}{number}{unit}")?;
            separator = " ";
        }
        Ok(())
    }
}
