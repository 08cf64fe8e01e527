//! What no journal can keep: the links of tasks that talk with another server. A task has only the number of its
//! own; after a restart of the daemon there is none, and the task is undone.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tasks::Operation;
use uuid::Uuid;

use super::Link;
use crate::{Error, Result};

/// A link, and the operation of whoever asked for it: its client sees how far it is, and may cancel.
pub(crate) struct Voyage {
    pub(crate) link: Link,
    pub(crate) operation: Operation,
}

/// Those under way.
#[derive(Default)]
pub(crate) struct Voyages(Mutex<HashMap<Uuid, Voyage>>);

impl Voyages {
    /// Keeps one for a step, or for whoever comes after it.
    pub(crate) fn put(&self, id: Uuid, voyage: Voyage) {
        self.map().insert(id, voyage);
    }

    /// Takes it.
    ///
    /// # Errors
    /// It went with an earlier daemon.
    pub(crate) fn take(&self, id: Uuid) -> Result<Voyage> {
        self.map().remove(&id).ok_or(Error::BrokenOff)
    }

    fn map(&self) -> MutexGuard<'_, HashMap<Uuid, Voyage>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
