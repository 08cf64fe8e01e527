//! `raw.idmap`: single host ids that an instance gets as they are wished, and the final maps.

use std::fmt;

use spec::IdMap;

use super::Error;
use super::ranges::Range;

/// Lines in `uid_map` and `gid_map` (user_namespaces(7)).
const LONGEST: usize = 340;

/// Whom an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Users.
    Uid,
    /// Groups.
    Gid,
    /// Users and groups.
    Both,
}

/// One entry: host ids that are `inside..` in the instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawEntry {
    /// Users, groups or both.
    pub kind: Kind,
    /// On the host.
    pub host: Range,
    /// First id inside.
    pub inside: u32,
}

impl RawEntry {
    fn inside(self) -> Range {
        Range { first: self.inside, count: self.host.count }
    }
}

/// One line of a map file: `count` ids from `inside` are those from `host`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MapLine {
    /// First id inside.
    pub inside: u32,
    /// First id on the host.
    pub host: u32,
    /// How many.
    pub count: u32,
}

impl fmt::Display for MapLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.inside, self.host, self.count)
    }
}

/// Both maps of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maps {
    /// Lines of `uid_map`, by id inside.
    pub uids: Vec<MapLine>,
    /// Lines of `gid_map`, by id inside.
    pub gids: Vec<MapLine>,
}

impl Maps {
    /// The text to write into a map file, in one write as the kernel demands.
    pub fn text(lines: &[MapLine]) -> String {
        lines.iter().map(|line| format!("{line}\n")).collect()
    }
}

/// Reads the value of `raw.idmap`: an entry a line, `uid|gid|both HOST[-HOST] ID[-ID]`.
pub fn parse_raw(text: &str) -> Result<Vec<RawEntry>, Error> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(entry).collect()
}

/// The maps of an instance with `base` and some ids mapped otherwise. Those ids inside are cut out
/// of `base`, or are added where they lie beyond it.
pub fn merge(base: IdMap, raw: &[RawEntry]) -> Result<Maps, Error> {
    let lines = |not: Kind| {
        let entries: Vec<RawEntry> = raw.iter().filter(|e| e.kind != not).copied().collect();
        map_lines(base, &entries)
    };
    Ok(Maps { uids: lines(Kind::Gid)?, gids: lines(Kind::Uid)? })
}

fn entry(line: &str) -> Result<RawEntry, Error> {
    let bad = || Error::BadEntry { entry: line.to_owned() };
    let words: Vec<&str> = line.split_whitespace().collect();
    let [kind, host, inside] = words[..] else { return Err(bad()) };
    let kind = match kind {
        "uid" => Kind::Uid,
        "gid" => Kind::Gid,
        "both" => Kind::Both,
        _ => return Err(bad()),
    };
    let (host, inside) = (ids(host).ok_or_else(bad)?, ids(inside).ok_or_else(bad)?);
    if host.count != inside.count {
        let (host, inside) = (host.count, inside.count);
        return Err(Error::Uneven { entry: line.to_owned(), host, inside });
    }
    Ok(RawEntry { kind, host, inside: inside.first })
}

/// `5` or `5-9`, both ends included.
fn ids(word: &str) -> Option<Range> {
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    let (first, last) = (first.parse::<u32>().ok()?, last.parse::<u32>().ok()?);
    // The largest number means "no id" to the kernel.
    let fine = first <= last && last < u32::MAX;
    fine.then(|| Range { first, count: last - first + 1 })
}

fn map_lines(base: IdMap, entries: &[RawEntry]) -> Result<Vec<MapLine>, Error> {
    check(base, entries)?;
    let mut entries = entries.to_vec();
    entries.sort_unstable_by_key(|entry| entry.inside);
    let mut lines = Vec::new();
    let mut at = 0;
    for entry in &entries {
        // What of the base lies before the entry.
        lines.extend(piece(base, at, entry.inside.min(base.size)));
        let RawEntry { inside, host, .. } = *entry;
        lines.push(MapLine { inside, host: host.first, count: host.count });
        at = u32::try_from(entry.inside().end()).unwrap_or(u32::MAX).max(at);
    }
    lines.extend(piece(base, at, base.size));
    match lines.len() {
        count if count > LONGEST => Err(Error::TooMany { count, limit: LONGEST }),
        _ => Ok(lines),
    }
}

/// The base's ids `from..to` inside.
fn piece(base: IdMap, from: u32, to: u32) -> Option<MapLine> {
    let count = to.checked_sub(from).filter(|count| *count > 0)?;
    Some(MapLine { inside: from, host: base.base + from, count })
}

/// The kernel refuses a map in which an id stands twice, with no word about which.
fn check(base: IdMap, entries: &[RawEntry]) -> Result<(), Error> {
    for (index, entry) in entries.iter().enumerate() {
        // Even ids that entries cut out: host and instance must agree on whose they are.
        if entry.host.overlaps(base.into()) {
            return Err(Error::Own { ids: entry.host });
        }
        for other in &entries[..index] {
            if entry.host.overlaps(other.host) {
                return Err(Error::Twice { ids: format!("host ids {}", entry.host) });
            }
            if entry.inside().overlaps(other.inside()) {
                return Err(Error::Twice { ids: format!("ids {} inside", entry.inside()) });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: IdMap = IdMap { base: 1_000_000, size: 65_536 };

    fn maps(text: &str) -> Result<(String, String), Error> {
        let maps = merge(BASE, &parse_raw(text)?)?;
        Ok((Maps::text(&maps.uids), Maps::text(&maps.gids)))
    }

    #[test]
    fn without_entries_there_is_one_line() {
        let line = "0 1000000 65536\n".to_owned();
        assert_eq!(maps("\n").unwrap(), (line.clone(), line));
    }

    #[test]
    fn an_entry_is_cut_out_of_the_base() {
        let (uids, gids) = maps("uid 1000 33").unwrap();
        assert_eq!(uids, "0 1000000 33\n33 1000 1\n34 1000034 65502\n");
        assert_eq!(gids, "0 1000000 65536\n");
    }

    #[test]
    fn ranges_and_both_and_the_edges() {
        let (uids, gids) = maps("both 2000-2010 0-10\n gid 50 65535 \n").unwrap();
        assert_eq!(uids, "0 2000 11\n11 1000011 65525\n");
        assert_eq!(gids, "0 2000 11\n11 1000011 65524\n65535 50 1\n");
    }

    #[test]
    fn ids_beyond_the_base_are_added() {
        let (uids, _) = maps("uid 500 70000\nuid 400-401 65535-65536").unwrap();
        assert_eq!(uids, "0 1000000 65535\n65535 400 2\n70000 500 1\n");
    }

    #[test]
    fn no_id_may_stand_twice() {
        let error = |text| maps(text).unwrap_err().to_string();
        assert_eq!(error("uid 5 5\nuid 5 6"), "raw.idmap maps host ids 5 twice");
        assert_eq!(error("both 5-9 5-9\nuid 1 7"), "raw.idmap maps ids 7 inside twice");
        assert!(error("gid 1000005 5").starts_with("host ids 1000005 of raw.idmap belong"));
        maps("uid 5 5\ngid 5 6").expect("users and groups are apart");
    }

    #[test]
    fn nonsense_is_named() {
        for text in ["uid 5", "user 5 5", "uid 5 x", "uid 9-5 9-5", "uid 1 4294967295", "uid 1 2 3"]
        {
            let error = parse_raw(text).unwrap_err().to_string();
            assert!(
                error.contains(&format!("{text:?} of raw.idmap is not of the form")),
                "{error}"
            );
        }
        let error = parse_raw("uid 1-3 1-2").unwrap_err().to_string();
        assert!(error.ends_with("maps 3 host ids to 2"), "{error}");
    }

    #[test]
    fn the_kernel_takes_so_many_lines() {
        let text = |count: u32| -> String {
            (1..=count).map(|id| format!("uid {id} {}\n", 2 * id)).collect()
        };
        assert!(maps(&text(169)).is_ok());
        assert_eq!(maps(&text(170)), Err(Error::TooMany { count: 341, limit: 340 }));
    }
}
