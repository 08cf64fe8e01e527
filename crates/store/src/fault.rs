//! The one-way switch of a store that met a storage error: set once, seen by everyone.

use std::error::Error as StdError;
use std::sync::Arc;

use tokio::sync::watch;

use crate::error::{BoxError, Error};

/// A storage error that stopped the store.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    operation: &'static str,
    source: Arc<dyn StdError + Send + Sync>,
}

impl Fault {
    pub(crate) fn new(operation: &'static str, source: impl Into<BoxError>) -> Fault {
        Fault { operation, source: Arc::from(source.into()) }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Error {
        Error::Storage { operation: fault.operation, source: fault.source }
    }
}

/// Where faults are reported.
#[derive(Clone, Debug)]
pub(crate) struct Switch(watch::Sender<Option<Fault>>);

impl Switch {
    pub(crate) fn new() -> Switch {
        Switch(watch::Sender::new(None))
    }

    /// The first fault stays.
    pub(crate) fn set(&self, fault: Fault) {
        self.0.send_if_modified(|slot| {
            let first = slot.is_none();
            if first {
                let why = describe(fault.source.as_ref());
                tracing::error!(operation = fault.operation, error = why, "store stops");
                *slot = Some(fault);
            }
            first
        });
    }

    pub(crate) fn get(&self) -> Option<Fault> {
        self.0.borrow().clone()
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        self.get().map_or(Ok(()), |fault| Err(fault.into()))
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Option<Fault>> {
        self.0.subscribe()
    }
}

fn describe(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
