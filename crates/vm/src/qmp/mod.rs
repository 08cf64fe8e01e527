//! QMP: QEMU's protocol for whoever manages it (QEMU's `docs/interop/qmp-spec`): a line of JSON each way,
//! and events between.
//!
//! ```text
//! Qmp (cheap to clone) ── Ask ──> one task that owns the socket ──> QEMU
//!     <── oneshot ────────────────┤
//!     <── broadcast of events ────┘
//! ```
//! QEMU serves one connection. Descriptors go with the command that needs them.

mod connection;
mod words;

use std::{
    os::fd::OwnedFd,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::sync::{broadcast, mpsc, oneshot};

pub use self::{
    connection::open_socket,
    words::{Call, Event, Stamp},
};

use crate::{Error, Result};

/// A command that is not answered for so long is given up on. QEMU answers most in a millisecond; one that
/// opens a disk may wait for it.
const PATIENCE: Duration = Duration::from_secs(30);
/// Events that are kept for a listener that is busy.
const EVENTS: usize = 256;
/// Between two looks for a socket that is not there yet.
const PAUSE: Duration = Duration::from_millis(2);

/// A connection with a running QEMU. It ends with the last of its clones.
#[derive(Debug, Clone)]
pub struct Qmp(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    asks: mpsc::Sender<Ask>,
    events: broadcast::Sender<Event>,
}

/// A command under way.
struct Ask {
    call: Call,
    fds: Vec<OwnedFd>,
    answer: oneshot::Sender<Result<Value>>,
}

impl Qmp {
    /// Connects to the socket `name` in a folder, which QEMU may be about to make.
    ///
    /// # Errors
    /// [`Error::Silent`] when there is none in time; what the first words are refused with.
    pub async fn connect(folder: &Path, name: &str, patience: Duration) -> Result<Qmp> {
        let end = Instant::now() + patience;
        let stream = loop {
            match connection::open_socket(folder, name).await {
                Ok(Some(stream)) => break stream,
                Ok(None) if Instant::now() < end => tokio::time::sleep(PAUSE).await,
                Ok(None) => return Err(Error::Silent { command: "connect", patience }),
                Err(source) => return Err(Error::Socket { action: "open", source }),
            }
        };
        let (asks, asked) = mpsc::channel(16);
        let events = broadcast::Sender::new(EVENTS);
        tokio::spawn(connection::serve(stream, asked, events.clone()));
        let qmp = Qmp(Arc::new(Inner { asks, events }));
        qmp.call(Call::new("qmp_capabilities")).await?;
        Ok(qmp)
    }

    /// Runs a command and gives what it returns.
    ///
    /// # Errors
    /// QEMU refuses it, does not answer in time, or is gone.
    pub async fn call(&self, call: Call) -> Result<Value> {
        self.call_with(call, Vec::new()).await
    }

    /// The same, with descriptors for QEMU.
    ///
    /// # Errors
    /// As [`Qmp::call`].
    pub async fn call_with(&self, call: Call, fds: Vec<OwnedFd>) -> Result<Value> {
        let (answer, answered) = oneshot::channel();
        let command = call.command;
        let ask = Ask { call, fds, answer };
        let asked = async {
            self.0.asks.send(ask).await.map_err(|_| Error::Gone)?;
            answered.await.map_err(|_| Error::Gone)?
        };
        let silent = |_| Error::Silent { command, patience: PATIENCE };
        tokio::time::timeout(PATIENCE, asked).await.map_err(silent)?
    }

    /// Runs commands, one after the other, up to the first that fails.
    ///
    /// # Errors
    /// As [`Qmp::call`].
    pub async fn run(&self, calls: Vec<Call>) -> Result<()> {
        for call in calls {
            self.call(call).await?;
        }
        Ok(())
    }

    /// What happens from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.0.events.subscribe()
    }
}

#[cfg(test)]
mod tests;
