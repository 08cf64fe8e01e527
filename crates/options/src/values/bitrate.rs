//! Rates of data.

use std::fmt;

use super::size::scaled;
use super::value;

/// Bits per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BitRate(pub u64);

const UNITS: [(&str, u64); 13] = [
    ("Ebit", 1_000_000_000_000_000_000),
    ("Pbit", 1_000_000_000_000_000),
    ("Tbit", 1_000_000_000_000),
    ("Gbit", 1_000_000_000),
    ("Mbit", 1_000_000),
    ("kbit", 1_000),
    ("Eibit", 1 << 60),
    ("Pibit", 1 << 50),
    ("Tibit", 1 << 40),
    ("Gibit", 1 << 30),
    ("Mibit", 1 << 20),
    ("Kibit", 1 << 10),
    ("bit", 1),
];

value!(BitRate, "bit-rate", "bits per second, such as 100Mbit or 1Gbit", |text| {
    scaled(text, &UNITS).map(BitRate)
});

impl fmt::Display for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit =
            UNITS[..6].iter().find(|(_, factor)| self.0 != 0 && self.0.is_multiple_of(*factor));
        match unit {
            Some((unit, factor)) => write!(f, "{}{unit}", self.0 / factor),
            None => write!(f, "{}bit", self.0),
        }
    }
}
