//! The configuration map as it is on the wire: keys and values, both text.

use std::collections::{BTreeMap, btree_map};

use serde::{Deserialize, Serialize};

/// A configuration map, word for word as a client gave it. An empty value counts as an absent key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Raw(pub BTreeMap<String, String>);

impl Raw {
    /// An empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of a key; None when absent or empty.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether the key has a value that is not empty.
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Sets a key; an empty value removes it.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        let (key, value) = (key.into(), value.into());
        if value.is_empty() {
            self.0.remove(&key);
        } else {
            self.0.insert(key, value);
        }
    }

    /// Sets a key that has no value yet.
    pub fn set_default(&mut self, key: &str, value: impl Into<String>) {
        if !self.has(key) {
            self.set(key, value);
        }
    }

    /// Removes a key and gives its value.
    pub fn remove(&mut self, key: &str) -> Option<String> {
        self.0.remove(key)
    }

    /// Lays another map over this one: its values win, its empty values remove (PATCH).
    pub fn merge(&mut self, over: &Self) {
        if self.0.is_empty() {
            // As a whole that is much faster, and lists of thousands do it for each.
            self.clone_from(over);
            self.0.retain(|_, value| !value.is_empty());
            return;
        }
        for (key, value) in &over.0 {
            self.set(key, value);
        }
    }

    /// This map with another laid over it.
    #[must_use]
    pub fn merged(&self, over: &Self) -> Self {
        let mut both = self.clone();
        both.merge(over);
        both
    }

    /// Keys and values that are not empty, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v.as_str())).filter(|(_, value)| !value.is_empty())
    }

    /// The keys, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(key, _)| key)
    }

    /// Whether no key has a value.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Keeps the pairs for which the test is true.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &str) -> bool) {
        self.0.retain(|key, value| keep(key, value));
    }

    /// The pairs whose key starts with the prefix, without it.
    #[must_use]
    pub fn under(&self, prefix: &str) -> Self {
        self.iter().filter_map(|(key, value)| Some((key.strip_prefix(prefix)?, value))).collect()
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Raw {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
}

impl<K: Into<String>, V: Into<String>> Extend<(K, V)> for Raw {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, pairs: I) {
        self.0.extend(pairs.into_iter().map(|(key, value)| (key.into(), value.into())));
    }
}

impl<K: Into<String>, V: Into<String>, const N: usize> From<[(K, V); N]> for Raw {
    fn from(pairs: [(K, V); N]) -> Self {
        Self::from_iter(pairs)
    }
}

impl From<BTreeMap<String, String>> for Raw {
    fn from(map: BTreeMap<String, String>) -> Self {
        Self(map)
    }
}

impl IntoIterator for Raw {
    type Item = (String, String);
    type IntoIter = btree_map::IntoIter<String, String>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_value_is_an_absent_key() {
        let mut raw = Raw::from([("a", "1"), ("b", "")]);
        assert!(raw.has("a") && !raw.has("b"));
        assert_eq!(raw.keys().collect::<Vec<_>>(), ["a"]);
        raw.set("a", "");
        assert!(raw.is_empty());
    }

    #[test]
    fn a_patch_overrides_and_removes() {
        let below = Raw::from([("a", "1"), ("b", "2")]);
        let above = Raw::from([("b", ""), ("c", "3")]);
        assert_eq!(below.merged(&above), Raw::from([("a", "1"), ("c", "3")]));
    }

    #[test]
    fn the_map_is_plain_json() {
        let raw: Raw = serde_json::from_str(r#"{"limits.cpu":"2"}"#).unwrap();
        assert_eq!(raw.get("limits.cpu"), Some("2"));
        assert_eq!(serde_json::to_string(&raw).unwrap(), r#"{"limits.cpu":"2"}"#);
    }
}
