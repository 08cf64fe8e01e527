//! What ends the daemon, and whether the instances end with it.
//!
//! | signal | sent by | instances |
//! |---|---|---|
//! | SIGPWR | `microcloud shutdown`, an init that knows it | stop |
//! | SIGTERM while the machine shuts down | systemd | stop |
//! | SIGTERM otherwise, SIGINT | `systemctl stop`, a person | live on |

use anyhow::{Context, Result};
use exec::{Control, systemctl};
use rustix::process::Signal;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// What is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The daemon alone.
    Daemon,
    /// The daemon alone, which takes its own place.
    Again,
    /// The instances, then the daemon.
    Instances,
}

/// The signals that end the daemon.
pub(crate) struct Signals {
    terminate: Stream,
    interrupt: Stream,
    power: Stream,
}

impl Signals {
    /// Listens from now on.
    pub(crate) fn listen() -> Result<Signals> {
        let listen = |kind| signal(kind).context("listen to signals");
        Ok(Signals {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            power: listen(SignalKind::from_raw(Signal::POWER.as_raw()))?,
        })
    }

    /// Waits for the first one.
    pub(crate) async fn ending(&mut self) -> Ending {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => return Ending::Daemon,
            _ = self.power.recv() => return Ending::Instances,
        }
        if machine_stops().await { Ending::Instances } else { Ending::Daemon }
    }

    /// Waits for another: whoever sends it is in a hurry.
    pub(crate) async fn another(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.power.recv() => {}
        }
    }
}

async fn machine_stops() -> bool {
    let asked = tokio::task::spawn_blocking(|| systemctl::machine_stops(&Control::none())).await;
    match asked {
        Ok(Ok(stops)) => stops,
        Ok(Err(error)) => {
            let error = tasks::chain(&error);
            tracing::warn!(error, "systemd does not say whether the machine shuts down");
            false
        }
        Err(_) => false,
    }
}
