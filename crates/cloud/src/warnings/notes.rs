//! Trouble that was met and is not over, as those noted it who met it. It is not kept: a daemon that comes later
//! meets it again, or it is over.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use super::Kind;

/// What trouble is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct About {
    pub(crate) kind: Kind,
    /// The project of the thing; empty where it has none.
    pub(crate) project: String,
    /// Its address; empty: the member itself.
    pub(crate) entity: String,
}

impl About {
    /// It is about the thing at that address, which has a project or (an empty name) none.
    pub(crate) fn new(kind: Kind, project: &str, entity: String) -> About {
        About { kind, project: project.to_owned(), entity }
    }
}

/// Trouble, and what is said of each.
pub(crate) type Troubles = BTreeMap<About, String>;

/// Trouble that was met and is not over.
#[derive(Debug)]
pub struct Notes {
    met: Mutex<Troubles>,
    changed: watch::Sender<u64>,
}

impl Default for Notes {
    fn default() -> Notes {
        Notes { met: Mutex::default(), changed: watch::Sender::new(0) }
    }
}

impl Notes {
    /// It was met; or, with `None`, it is over.
    pub(crate) fn set(&self, about: About, said: Option<String>) {
        let mut met = self.all();
        let before = match &said {
            Some(said) => met.insert(about, said.clone()),
            None => met.remove(&about),
        };
        drop(met);
        if before != said {
            self.changed.send_modify(|count| *count += 1);
        }
    }

    /// Changes with each note.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(super) fn now(&self) -> Troubles {
        self.all().clone()
    }

    fn all(&self) -> MutexGuard<'_, Troubles> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
