//! Where the writes of one member gather. While the window is open, closures run one after the
//! other on one transaction that is rolled back, each seeing the ones before it. Then the window
//! closes, what they did goes to the log as one entry, and once that is applied it opens again.
//!
//! ```text
//! open ── first write ──> gathering ── no one waits, or a moment passed ──> shipping ──> open
//! ```

use tokio::sync::oneshot;

use crate::error::Result;
use crate::request::{Outcome, Transaction};

/// Writes of one entry, at most.
pub(crate) const MOST_WRITES: usize = 256;
/// Bytes of the statements of one entry, at most, unless a single write has more.
pub(crate) const MOST_BYTES: usize = 1 << 20;

/// A write that waits to be shipped and for what becomes of it.
#[derive(Debug)]
pub(crate) struct Gathered {
    pub(crate) transaction: Transaction,
    pub(crate) done: oneshot::Sender<Result<Outcome>>,
}

/// The batch on its way: apply tells its sender what became of each write.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(crate) sequence: u64,
    pub(crate) done: oneshot::Sender<Vec<Outcome>>,
}

#[derive(Debug)]
pub(crate) struct Window {
    pub(crate) open: bool,
    /// A transaction is open on the connection.
    pub(crate) simulating: bool,
    /// Index of the state the gathered writes ran on.
    pub(crate) base: u64,
    pub(crate) gathered: Vec<Gathered>,
    pub(crate) bytes: usize,
    pub(crate) in_flight: Option<InFlight>,
}

impl Default for Window {
    fn default() -> Window {
        Window {
            open: true,
            simulating: false,
            base: 0,
            gathered: Vec::new(),
            bytes: 0,
            in_flight: None,
        }
    }
}

impl Window {
    /// Adds a write; closes the window when the entry is full.
    pub(crate) fn push(&mut self, gathered: Gathered) {
        self.bytes += gathered.transaction.size();
        self.gathered.push(gathered);
        if self.gathered.len() >= MOST_WRITES || self.bytes >= MOST_BYTES {
            self.open = false;
        }
    }

    /// Whether one of the gathered writes changes a table this one read.
    pub(crate) fn changes_what_was_read(&self, transaction: &Transaction) -> bool {
        self.gathered.iter().any(|g| !g.transaction.writes.is_disjoint(&transaction.reads))
    }
}
