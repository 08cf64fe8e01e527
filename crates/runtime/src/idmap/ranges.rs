//! The host ids that may be given to instances at all.

use std::fmt;

use spec::IdMap;

use super::{BLOCK, Error};

/// Used where the machine's administrator has said nothing: far above the ids of people and
/// services, and room for fifteen thousand instances.
pub const DEFAULT: Range = Range { first: 1_000_000, count: 1_000_000_000 };

/// Ids in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Range {
    /// The first.
    pub first: u32,
    /// How many.
    pub count: u32,
}

impl Range {
    /// The one after the last; 64 bits, because the last id may be the largest number.
    pub fn end(self) -> u64 {
        u64::from(self.first) + u64::from(self.count)
    }

    /// Whether any id is in both.
    pub fn overlaps(self, other: Range) -> bool {
        u64::from(self.first) < other.end() && u64::from(other.first) < self.end()
    }

    /// Whether all of `other` is in it.
    pub fn contains(self, other: Range) -> bool {
        self.first <= other.first && other.end() <= self.end()
    }

    fn common(self, other: Range) -> Option<Range> {
        let first = self.first.max(other.first);
        let count = self.end().min(other.end()).checked_sub(u64::from(first))?;
        let count = u32::try_from(count).ok().filter(|count| *count > 0)?;
        Some(Range { first, count })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count {
            1 => write!(f, "{}", self.first),
            _ => write!(f, "{}-{}", self.first, self.end().saturating_sub(1)),
        }
    }
}

impl From<IdMap> for Range {
    fn from(map: IdMap) -> Range {
        Range { first: map.base, count: map.size }
    }
}

/// The ids root may hand out, both as users and as groups: from the texts of /etc/subuid and
/// /etc/subgid, empty where a file is missing. Where neither names root this is [`DEFAULT`].
pub fn host_ranges(subuid: &str, subgid: &str) -> Result<Vec<Range>, Error> {
    let uids = of_root("/etc/subuid", subuid)?;
    let gids = of_root("/etc/subgid", subgid)?;
    if uids.is_empty() && gids.is_empty() {
        return Ok(vec![DEFAULT]);
    }
    let both = |uid: &Range| gids.iter().filter_map(|gid| uid.common(*gid)).collect::<Vec<_>>();
    Ok(uids.iter().flat_map(both).collect())
}

/// The map of all instances that are not isolated: the first half of the first range that has a
/// block, so that some of it is left for isolated ones. It is more than a block where there is room,
/// because containers inside need ids too.
pub fn shared(ranges: &[Range]) -> Result<IdMap, Error> {
    let range = ranges.iter().find(|range| range.count >= BLOCK);
    let range = range.ok_or(Error::TooSmall { needed: BLOCK })?;
    let half = (range.count / 2 / BLOCK * BLOCK).max(BLOCK);
    Ok(IdMap { base: range.first, size: half })
}

fn of_root(file: &'static str, text: &str) -> Result<Vec<Range>, Error> {
    let lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    let of_root = lines.filter(|line| matches!(line.split(':').next(), Some("root" | "0")));
    of_root
        .map(|line| range(line).ok_or_else(|| Error::BadRange { file, line: line.to_owned() }))
        .collect()
}

fn range(line: &str) -> Option<Range> {
    let mut fields = line.split(':').skip(1);
    let range = Range { first: fields.next()?.parse().ok()?, count: fields.next()?.parse().ok()? };
    // The largest number means "no id" to the kernel.
    let fine = fields.next().is_none() && range.count > 0 && range.end() <= u64::from(u32::MAX);
    fine.then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn r(first: u32, count: u32) -> Range {
        Range { first, count }
    }

    #[test]
    fn without_a_word_about_root_the_default_holds() {
        assert_eq!(host_ranges("", "").unwrap(), [DEFAULT]);
        let users = "ann:100000:65536\n# root:1:2\n";
        assert_eq!(host_ranges(users, users).unwrap(), [DEFAULT]);
        assert_eq!(shared(&[DEFAULT]).unwrap(), IdMap { base: 1_000_000, size: 499_974_144 });
    }

    #[test]
    fn only_ids_that_are_users_and_groups_count() {
        let subuid = "ann:5:5\nroot:100000:65536\n0:1000000:200000\n";
        let subgid = "root:1050000:1000000\n";
        assert_eq!(host_ranges(subuid, subgid).unwrap(), [r(1_050_000, 150_000)]);
        assert_eq!(host_ranges("root:100000:65536", "").unwrap(), []);
    }

    #[test]
    fn too_few_ids_are_an_error_that_tells_the_cure() {
        let text = shared(&[r(100_000, 1000)]).unwrap_err().to_string();
        assert!(
            text.contains("has 65536 ids") && text.contains("root:1000000:1000000000"),
            "{text}"
        );
        assert_eq!(shared(&[r(1, 5), r(100_000, 65_536)]).unwrap().base, 100_000);
        assert_eq!(shared(&[r(100_000, 65_536)]).unwrap().size, BLOCK);
        assert_eq!(shared(&[r(0, 5 * BLOCK)]).unwrap().size, 2 * BLOCK);
    }

    #[test]
    fn nonsense_is_named() {
        for line in ["root:x:5", "root:5", "root:5:0", "root:1:4294967295", "root:1:2:3"] {
            let error = host_ranges(line, "").unwrap_err().to_string();
            assert!(error.contains(line) && error.contains("/etc/subuid"), "{error}");
        }
    }

    #[test]
    fn ranges_compare() {
        assert!(r(5, 5).overlaps(r(9, 1)) && !r(5, 5).overlaps(r(10, 1)));
        assert!(r(5, 5).contains(r(5, 5)) && !r(5, 5).contains(r(5, 6)));
        assert_eq!((r(5, 1).to_string(), r(5, 3).to_string()), ("5".into(), "5-7".into()));
    }
}
