//! What changed, for those who watch.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Revision at which each table changed last.
pub(crate) type Versions = BTreeMap<Arc<str>, u64>;

/// The state's revision and when each table changed last. A watcher that missed some revisions
/// still sees every table that changed since the one it handled.
#[derive(Clone, Debug, Default)]
pub struct Changed {
    pub(crate) revision: u64,
    pub(crate) versions: Arc<Versions>,
}

impl Changed {
    /// Grows with every change; the same on all members.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether the table changed after this revision.
    pub fn since(&self, revision: u64, table: &str) -> bool {
        self.versions.get(table).is_some_and(|version| *version > revision)
    }

    /// The tables that changed after this revision.
    pub fn tables_since(&self, revision: u64) -> impl Iterator<Item = &str> {
        self.versions.iter().filter(move |(_, v)| **v > revision).map(|(name, _)| &**name)
    }
}
