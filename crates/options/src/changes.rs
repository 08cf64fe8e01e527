//! What differs between two configurations, and when it takes effect.

use crate::{Apply, Raw, Table};

/// The keys that differ between two maps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Each key once, sorted.
    pub keys: Vec<Change>,
}

/// One key that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub key: String,
    /// The old value.
    pub old: Option<String>,
    /// The new value.
    pub new: Option<String>,
    /// When the change takes effect.
    pub apply: Apply,
}

impl Changes {
    /// Compares two maps by a table. Keys that nobody declared count as live.
    pub fn between(table: &Table, old: &Raw, new: &Raw) -> Self {
        let mut keys: Vec<&str> = old.keys().chain(new.keys()).collect();
        keys.sort_unstable();
        keys.dedup();
        let differing = keys.into_iter().filter(|key| old.get(key) != new.get(key));
        let change = |key: &str| Change {
            key: key.to_owned(),
            old: old.get(key).map(str::to_owned),
            new: new.get(key).map(str::to_owned),
            apply: table.find(key).map_or(Apply::Live, |found| found.opt.apply),
        };
        Self { keys: differing.map(change).collect() }
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether every change takes effect at once.
    pub fn all_live(&self) -> bool {
        self.keys.iter().all(|change| change.apply == Apply::Live)
    }

    /// The changes that wait for a restart.
    pub fn need_restart(&self) -> impl Iterator<Item = &Change> {
        self.keys.iter().filter(|change| change.apply == Apply::Restart)
    }

    /// The changes that are not possible any more.
    pub fn forbidden(&self) -> impl Iterator<Item = &Change> {
        self.keys.iter().filter(|change| change.apply == Apply::Create)
    }

    /// Whether this key differs.
    pub fn has(&self, key: &str) -> bool {
        self.keys.iter().any(|change| change.key == key)
    }

    /// Whether a key with this prefix differs.
    pub fn has_under(&self, prefix: &str) -> bool {
        self.keys.iter().any(|change| change.key.starts_with(prefix))
    }
}
