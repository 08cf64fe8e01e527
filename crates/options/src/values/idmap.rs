//! Which ids of the machine are which ids within an instance.

use std::fmt;

use super::value;
use crate::Value;

/// Ids of users or groups, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdRange {
    /// The first id.
    pub first: u32,
    /// The last id, not before the first.
    pub last: u32,
}

/// Which ids an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdmapSide {
    /// Users, `uid`.
    Users,
    /// Groups, `gid`.
    Groups,
    /// Users and groups, `both`.
    Both,
}

/// A line of `raw.idmap`: these ids of the host are those ids in the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdmapEntry {
    /// Users, groups or both.
    pub side: IdmapSide,
    /// The ids on the host.
    pub host: IdRange,
    /// As many ids in the instance.
    pub guest: IdRange,
}

impl IdRange {
    /// How many ids.
    pub fn count(&self) -> u64 {
        u64::from(self.last - self.first) + 1
    }

    /// Whether the id is in the range.
    pub fn contains(&self, id: u32) -> bool {
        (self.first..=self.last).contains(&id)
    }

    fn read(text: &str) -> Option<Self> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (u32::parse(first).ok()?, u32::parse(last).ok()?);
        // The highest number is no id: system calls take it for "leave as is".
        (first <= last && last < u32::MAX).then_some(Self { first, last })
    }
}

impl IdmapEntry {
    fn read(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [side, host, guest] = words[..] else { return None };
        let side = match side {
            "uid" => IdmapSide::Users,
            "gid" => IdmapSide::Groups,
            "both" => IdmapSide::Both,
            _ => return None,
        };
        let (host, guest) = (IdRange::read(host)?, IdRange::read(guest)?);
        (host.count() == guest.count()).then_some(Self { side, host, guest })
    }
}

value!(IdRange, "id-range", "an id or a range such as 1000-1999", IdRange::read);
value!(
    IdmapEntry,
    "idmap-entry",
    "uid, gid or both, the ids on the host and as many in the instance, such as `both 1000 1000`",
    IdmapEntry::read
);

impl fmt::Display for IdRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first == self.last {
            true => self.first.fmt(f),
            false => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

impl fmt::Display for IdmapEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            IdmapSide::Users => "uid",
            IdmapSide::Groups => "gid",
            IdmapSide::Both => "both",
        };
        write!(f, "{side} {} {}", self.host, self.guest)
    }
}
