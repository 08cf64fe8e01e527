//! Lists objects in the order of their keys' bytes, as much as is asked for and no more.

use rusqlite::{Connection, params};

use crate::error::Doing;
use crate::{Object, Result, Store, index};

/// Rows that are read at once.
const CHUNK: usize = 256;

/// What is listed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Query<'a> {
    /// Only keys that begin with it.
    pub prefix: &'a str,
    /// Keys that are the same up to this, behind the prefix, are listed as one; empty is none.
    pub delimiter: &'a str,
    /// Only keys, and common beginnings, that come after it.
    pub after: &'a str,
    /// How many keys and common beginnings at most.
    pub most: usize,
}

/// A part of a list.
#[derive(Debug, Default)]
pub struct Page {
    /// Objects.
    pub objects: Vec<Object>,
    /// Common beginnings.
    pub prefixes: Vec<String>,
    /// What the next part comes after; `None` when this was the last.
    pub next: Option<String>,
    /// In a list of versions: which of them.
    pub next_version: Option<String>,
}

impl Store {
    /// A part of the list.
    pub fn list(&self, query: Query<'_>) -> Result<Page> {
        self.read(|conn| page(conn, query))
    }
}

fn page(conn: &Connection, query: Query<'_>) -> Result<Page> {
    let mut page = Page::default();
    let end = successor(query.prefix.as_bytes());
    let mut from = Some(first(query));
    let mut last = String::new();
    while let Some(low) = from.take() {
        let rows = rows(conn, &low, end.as_deref())?;
        let full = rows.len() == CHUNK;
        let mut next = None;
        for object in rows {
            next = Some(just_after(&object.key));
            let common = common(query, &object.key);
            if common.as_deref().is_some_and(|common| common <= query.after) {
                // It was in an earlier part.
                from = common.and_then(|common| successor(common.as_bytes()));
                next = None;
                break;
            }
            if page.objects.len() + page.prefixes.len() >= query.most {
                page.next = Some(last);
                return Ok(page);
            }
            if let Some(common) = common {
                from = successor(common.as_bytes());
                last.clone_from(&common);
                page.prefixes.push(common);
                next = None;
                break;
            }
            last.clone_from(&object.key);
            page.objects.push(object);
        }
        if full && next.is_some() {
            from = next;
        }
    }
    Ok(page)
}

/// Where to begin.
fn first(query: Query<'_>) -> Vec<u8> {
    let after = match query.after {
        "" => Vec::new(),
        after => just_after(after),
    };
    after.max(query.prefix.as_bytes().to_vec())
}

/// The common beginning that a key is listed as, if it is.
pub(crate) fn common(query: Query<'_>, key: &str) -> Option<String> {
    if query.delimiter.is_empty() {
        return None;
    }
    let rest = key.strip_prefix(query.prefix)?;
    let at = rest.find(query.delimiter)?;
    Some(key[..query.prefix.len() + at + query.delimiter.len()].to_owned())
}

pub(crate) fn just_after(key: &str) -> Vec<u8> {
    [key.as_bytes(), b"\0"].concat()
}

/// The first key that does not begin with `prefix` and comes after all that do; `None` when none can.
pub(crate) fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let kept = prefix.iter().rposition(|byte| *byte < u8::MAX)?;
    let mut next = prefix[..=kept].to_vec();
    next[kept] += 1;
    Some(next)
}

fn rows(conn: &Connection, low: &[u8], end: Option<&[u8]>) -> Result<Vec<Object>> {
    let columns = index::OBJECT;
    let below = if end.is_some() { "AND key < ?2" } else { "AND ?2 IS NULL" };
    let sql = format!(
        "SELECT {columns} FROM objects
         WHERE latest = 1 AND marker = 0 AND key >= ?1 {below} ORDER BY key LIMIT {CHUNK}"
    );
    let work = || -> rusqlite::Result<Vec<Object>> {
        let mut statement = conn.prepare_cached(&sql)?;
        statement.query_map(params![low, end], index::object)?.collect()
    };
    work().doing("list objects")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_after_all_of_a_prefix() {
        assert_eq!(successor(b"a/"), Some(b"a0".to_vec()));
        assert_eq!(successor(b"a\xff"), Some(b"b".to_vec()));
        assert_eq!(successor(b""), None);
        assert_eq!(successor(b"\xff"), None);
    }
}
