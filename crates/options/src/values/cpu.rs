//! How many processors, which ones, and for how long.

use std::fmt;
use std::time::Duration;

use super::value;
use crate::Value;

/// The highest processor number accepted: the kernel's own bound on every architecture.
const LAST: u32 = 8191;

/// A number of processors, or certain ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CpuLimit {
    /// So many, picked by the server.
    Count(u32),
    /// Exactly these.
    Set(CpuSet),
}

/// A set of processors: ranges with both ends included, sorted, apart from one another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuSet(Vec<(u32, u32)>);

/// How much time on the processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CpuAllowance {
    /// A share in per cent when others want to run too (a weight); 100 is the normal share.
    Percent(u32),
    /// So much time in each period, never more.
    Time {
        /// The time.
        quota: Duration,
        /// The period.
        period: Duration,
    },
}

impl CpuSet {
    /// Reads `0-3,5`.
    pub fn read(text: &str) -> Option<Self> {
        let mut ranges = text.split(',').map(range).collect::<Option<Vec<_>>>()?;
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::new();
        for (first, last) in ranges {
            match merged.last_mut() {
                Some(before) if first <= before.1 + 1 => before.1 = before.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        Some(Self(merged))
    }

    /// The numbers of the processors, ascending.
    pub fn ids(&self) -> impl Iterator<Item = u32> {
        self.0.iter().flat_map(|(first, last)| *first..=*last)
    }
}

fn range(text: &str) -> Option<(u32, u32)> {
    let text = text.trim();
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (u32::parse(first).ok()?, u32::parse(last).ok()?);
    (first <= last && last <= LAST).then_some((first, last))
}

impl CpuLimit {
    fn read(text: &str) -> Option<Self> {
        if text.contains([',', '-']) {
            return CpuSet::read(text).map(Self::Set);
        }
        u32::parse(text).ok().filter(|count| (1..=LAST + 1).contains(count)).map(Self::Count)
    }

    /// How many processors that is.
    pub fn count(&self) -> usize {
        match self {
            Self::Count(count) => *count as usize,
            Self::Set(set) => set.ids().count(),
        }
    }
}

impl CpuAllowance {
    fn read(text: &str) -> Option<Self> {
        if let Some(percent) = text.strip_suffix('%') {
            let percent =
                u32::parse(percent).ok().filter(|percent| (1..=1_000_000).contains(percent));
            return percent.map(Self::Percent);
        }
        let (quota, period) = text.split_once('/')?;
        let (quota, period) = (milliseconds(quota)?, milliseconds(period)?);
        Some(Self::Time { quota, period })
    }
}

/// A time in whole milliseconds, above zero and at most an hour.
fn milliseconds(text: &str) -> Option<Duration> {
    let number = u64::parse(text.trim().strip_suffix("ms")?).ok()?;
    (1..=3_600_000).contains(&number).then(|| Duration::from_millis(number))
}

value!(CpuSet, "cpu-set", "processors such as 0-3 or 0,2,5-7", CpuSet::read);
value!(CpuLimit, "cpus", "a number of CPUs or ranges such as 0-3 or 0,2,5-7", CpuLimit::read);
value!(
    CpuAllowance,
    "cpu-allowance",
    "a share such as 50% or a time in a period such as 25ms/100ms",
    CpuAllowance::read
);

impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (first, last)) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            match first == last {
                true => write!(f, "{comma}{first}")?,
                false => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for CpuLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => count.fmt(f),
            // A single processor is written as a range, else it would read as a count.
            Self::Set(CpuSet(ranges)) if matches!(ranges[..], [(a, b)] if a == b) => {
                write!(f, "{0}-{0}", ranges[0].0)
            }
            Self::Set(set) => set.fmt(f),
        }
    }
}

impl fmt::Display for CpuAllowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percent(percent) => write!(f, "{percent}%"),
            Self::Time { quota, period } => {
                write!(f, "{}ms/{}ms", quota.as_millis(), period.as_millis())
            }
        }
    }
}
