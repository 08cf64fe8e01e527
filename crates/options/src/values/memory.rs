//! Limits of memory.

use std::fmt;

use super::value;
use crate::{Size, Value};

/// So many bytes, or a share of the machine's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryLimit {
    /// So many bytes.
    Size(Size),
    /// Per cent of the machine's memory, 1 to 100.
    Percent(u8),
}

impl MemoryLimit {
    /// The limit in bytes on a machine with so much memory.
    pub fn bytes(self, total: u64) -> u64 {
        match self {
            Self::Size(size) => size.bytes(),
            Self::Percent(percent) => total / 100 * u64::from(percent),
        }
    }

    fn read(text: &str) -> Option<Self> {
        let Some(percent) = text.strip_suffix('%') else {
            return Size::parse(text).ok().filter(|size| size.0 > 0).map(Self::Size);
        };
        let percent = u8::parse(percent).ok()?;
        (1..=100).contains(&percent).then_some(Self::Percent(percent))
    }
}

value!(
    MemoryLimit,
    "memory",
    "a size above zero such as 512MiB or 2GiB, or a share of the memory such as 50%",
    MemoryLimit::read
);

impl fmt::Display for MemoryLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size(size) => size.fmt(f),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}
