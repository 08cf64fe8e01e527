//! Sends what was gathered to the log, one batch at a time, and tells the writers what became of
//! it. Apply on this member is what decides: it sees the batch come back from the log.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::core::Core;
use crate::error::{Error, Result};
use crate::fault::Fault;
use crate::leader::Leader;
use crate::options::MemberId;
use crate::request::{Batch, Outcome, Request};
use crate::state::State;
use crate::window::{Gathered, InFlight};

/// How long a batch waits for writers that were told the window is open.
const MOMENT: Duration = Duration::from_millis(1);

/// A batch that left the window.
struct Shipment {
    request: Request,
    writers: Vec<Gathered>,
    outcomes: oneshot::Receiver<Vec<Outcome>>,
}

/// Ships until the store closes, and numbers its batches from `sequence` on.
pub(crate) async fn run(core: Arc<Core>, leader: Arc<Leader>, mut sequence: u64) {
    loop {
        core.gathered.notified().await;
        if core.waiting.load(Ordering::Acquire) > 0 {
            // Whether they came or not, the batch goes.
            let _ = timeout(MOMENT, core.filled.notified()).await;
        }
        let shipment = core.state().take_batch(core.me, sequence);
        match shipment {
            Ok(Some(shipment)) => {
                sequence += 1;
                deliver(&core, &leader, shipment).await;
            }
            Ok(None) => {}
            Err(error) => core.fault.set(Fault::new("end a write", error)),
        }
        core.open_window();
    }
}

impl State {
    fn take_batch(
        &mut self,
        origin: MemberId,
        sequence: u64,
    ) -> rusqlite::Result<Option<Shipment>> {
        if self.window.gathered.is_empty() {
            return Ok(None);
        }
        self.stop_simulation()?;
        self.window.open = false;
        self.window.bytes = 0;
        let mut writers = std::mem::take(&mut self.window.gathered);
        let writes = writers.iter_mut().map(|w| std::mem::take(&mut w.transaction)).collect();
        let base = self.window.base;
        let request = Request::Batch(Batch { origin, sequence, base, writes });
        let (done, outcomes) = oneshot::channel();
        self.window.in_flight = Some(InFlight { sequence, done });
        Ok(Some(Shipment { request, writers, outcomes }))
    }
}

impl Core {
    fn open_window(&self) {
        let mut state = self.state();
        state.window.in_flight = None;
        state.window.open = true;
        drop(state);
        self.opened.notify_waiters();
    }
}

async fn deliver(core: &Core, leader: &Leader, shipment: Shipment) {
    let Shipment { request, writers, mut outcomes } = shipment;
    let result = tokio::select! {
        biased;
        applied = &mut outcomes => applied.map_err(|_| Error::Uncertain),
        sent = leader.propose(request) => match sent {
            Ok(_) => applied_here(core, outcomes).await,
            Err(error) => Err(error),
        },
    };
    if matches!(result, Err(Error::Uncertain)) {
        core.doubt.store(true, Ordering::Release);
    }
    let mut outcomes = result.map(Vec::into_iter);
    for writer in writers {
        let outcome = match &mut outcomes {
            Ok(outcomes) => outcomes.next().ok_or(Error::Uncertain),
            Err(error) => Err(share(error)),
        };
        // A writer that was dropped does not want to know.
        let _ = writer.done.send(outcome);
    }
}

/// The leader has it; this member follows soon.
async fn applied_here(
    core: &Core,
    outcomes: oneshot::Receiver<Vec<Outcome>>,
) -> Result<Vec<Outcome>> {
    match timeout(core.options.patience, outcomes).await {
        Ok(Ok(outcomes)) => Ok(outcomes),
        _ => Err(Error::Uncertain),
    }
}

/// The same error for another writer of the batch.
fn share(error: &Error) -> Error {
    match error {
        Error::NoQuorum => Error::NoQuorum,
        Error::Closed => Error::Closed,
        Error::Storage { operation, source } => {
            Error::Storage { operation, source: source.clone() }
        }
        _ => Error::Uncertain,
    }
}
