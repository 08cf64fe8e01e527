//! How much a disk may do.

use std::fmt;

use super::{Size, value};

/// Bytes or operations per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskRate {
    /// Bytes per second.
    Bytes(Size),
    /// Operations per second.
    Operations(u64),
}

value!(DiskRate, "disk-rate", "bytes per second, such as 30MB, or operations: 200iops", |text| {
    match text.strip_suffix("iops") {
        Some(number) if number.bytes().all(|b| b.is_ascii_digit()) => {
            number.parse().ok().filter(|it| *it > 0).map(DiskRate::Operations)
        }
        Some(_) => None,
        None => Size::parse(text).ok().filter(|it| it.bytes() > 0).map(DiskRate::Bytes),
    }
});

impl fmt::Display for DiskRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(size) => size.fmt(f),
            Self::Operations(count) => write!(f, "{count}iops"),
        }
    }
}
