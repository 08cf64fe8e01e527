//! Limits of processes, as `setrlimit` knows them.

use std::fmt;

use super::value;
use crate::Value;

/// A soft and a hard limit; None means no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KernelLimit {
    /// What holds now; a process may raise it up to the hard limit.
    pub soft: Option<u64>,
    /// The most.
    pub hard: Option<u64>,
}

impl KernelLimit {
    fn read(text: &str) -> Option<Self> {
        let (soft, hard) = text.split_once(':').unwrap_or((text, text));
        let (soft, hard) = (side(soft)?, side(hard)?);
        let ordered = hard.is_none_or(|hard| soft.is_some_and(|soft| soft <= hard));
        ordered.then_some(Self { soft, hard })
    }
}

fn side(text: &str) -> Option<Option<u64>> {
    if text == "unlimited" { Some(None) } else { u64::parse(text).ok().map(Some) }
}

value!(
    KernelLimit,
    "kernel-limit",
    "a number or unlimited, for the soft and the hard limit together, or both as 1000:3000",
    KernelLimit::read
);

impl fmt::Display for KernelLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |limit: Option<u64>| limit.map_or("unlimited".to_owned(), |n| n.to_string());
        write!(f, "{}:{}", side(self.soft), side(self.hard))
    }
}
