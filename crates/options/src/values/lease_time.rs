//! How long an address is lent.

use std::fmt;
use std::time::Duration;

use super::size::scaled;
use super::value;

/// The time of a DHCP lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseTime {
    /// At least two minutes.
    For(Duration),
    /// For ever.
    Infinite,
}

const UNITS: [(&str, u64); 5] = [("w", 604_800), ("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];

impl LeaseTime {
    /// The seconds as in a DHCP packet, where all ones mean for ever.
    pub fn seconds(self) -> u32 {
        match self {
            Self::For(time) => u32::try_from(time.as_secs()).unwrap_or(u32::MAX),
            Self::Infinite => u32::MAX,
        }
    }

    fn read(text: &str) -> Option<Self> {
        if text == "infinite" {
            return Some(Self::Infinite);
        }
        let seconds = scaled(text, &UNITS)?;
        (120..u64::from(u32::MAX))
            .contains(&seconds)
            .then(|| Self::For(Duration::from_secs(seconds)))
    }
}

value!(
    LeaseTime,
    "lease-time",
    "two minutes or more, such as 30m, 1h, 7d or a number of seconds, or infinite",
    LeaseTime::read
);

impl fmt::Display for LeaseTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::For(time) = self else { return f.write_str("infinite") };
        let seconds = time.as_secs();
        match UNITS.iter().find(|(_, factor)| seconds != 0 && seconds % factor == 0) {
            Some((unit, factor)) => write!(f, "{}{unit}", seconds / factor),
            None => write!(f, "{seconds}s"),
        }
    }
}
