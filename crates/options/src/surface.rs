//! The published keys of LXD 5.21, and which of them are not declared here yet.

/// All published keys, a line each: entity, group, key.
pub const SURFACE: &str = include_str!("../surface.txt");

/// The published keys that no table has, in the same form; kept up to date by a test.
pub const NOT_YET: &str = include_str!("../not-yet.txt");

/// The lines of one of the two lists as entity, group and key.
pub fn lines(list: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| {
        let mut words = line.split_whitespace();
        Some((words.next()?, words.next()?, words.next()?))
    })
}

/// Whether LXD has this key for the entity, although we do not.
pub(crate) fn is_published(entity: &str, key: &str) -> bool {
    lines(NOT_YET).any(|(of, _, pattern)| of == entity && matches(pattern, key))
}

/// Whether a key is the documented one, or of the documented family.
fn matches(pattern: &str, key: &str) -> bool {
    let (patterns, keys) = (pattern.split('.'), key.split('.'));
    let stands_for_any = |part: &str| {
        part == "*"
            || part.starts_with('<')
            || part.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
    };
    let same = patterns.clone().zip(keys.clone()).all(|(p, k)| p == k || stands_for_any(p));
    same && (patterns.clone().count() == keys.clone().count()
        || pattern.ends_with(".*") && patterns.count() <= keys.count())
}
