//! What keeps a machine from going on, though QEMU runs: shown as the status `Error`.
//!
//! ```text
//! well ── its kernel panics ──> panicked ── it is reset, by itself, its watchdog or a restart ──> well
//!      ── no room for a write ─> stands ─── tried again every five seconds until there is room ──> well
//! ```
//! QEMU tells the daemon that is there; one that comes later finds a note of a panic in the machine's folder.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::{sync::broadcast::error::RecvError, time::sleep};
use vm::{Call, Happening};

use super::super::guests::{Guest, Phase};
use crate::{Caller, World, names, url};

/// Between two tries of a write that there was no room for.
const AGAIN: Duration = Duration::from_secs(5);
/// The note, in the machine's folder.
pub(super) const NOTE: &str = "panicked";

/// What keeps a machine from going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Its kernel panicked.
    Panicked,
    /// There is no room on this machine for what it writes.
    NoRoom,
}

/// Follows what happens to a machine for as long as it runs.
pub(crate) async fn watch(world: Arc<World>, guest: Guest) {
    let Some(qmp) = guest.qmp() else { return };
    let mut events = qmp.events();
    let watch = Watch { world: &world, guest: &guest, qmp };
    watch.recall().await;
    loop {
        tokio::select! {
            () = guest.gone() => return,
            event = events.recv() => match event {
                Ok(event) => watch.hear(Happening::of(&event)).await,
                Err(RecvError::Lagged(_)) => watch.recall().await,
                Err(RecvError::Closed) => return,
            },
            () = sleep(AGAIN), if guest.trouble() == Some(Trouble::NoRoom) => watch.again().await,
        }
    }
}

struct Watch<'a> {
    world: &'a World,
    guest: &'a Guest,
    qmp: &'a vm::Qmp,
}

impl Watch<'_> {
    async fn hear(&self, happening: Option<Happening>) {
        let name = self.guest.name();
        match happening {
            Some(Happening::Panicked) => {
                // Without the note a later daemon shows it as running, and no more.
                let _ = tokio::fs::write(self.note(), "").await;
                self.set(Some(Trouble::Panicked), "its kernel panicked: see its console");
            }
            Some(Happening::NoRoom) => {
                self.set(Some(Trouble::NoRoom), "there is no room for what it writes");
            }
            Some(Happening::Reset) => {
                // It is gone mostly.
                let _ = tokio::fs::remove_file(self.note()).await;
                self.set(None, "");
            }
            Some(Happening::Watchdog) => {
                tracing::warn!(name, "its watchdog ran out: it starts again");
                self.tell("instance-restarted");
            }
            None => {}
        }
    }

    /// Finds out what a daemon was told that is no more.
    async fn recall(&self) {
        if self.status().await.as_deref() == Some("io-error") {
            self.hear(Some(Happening::NoRoom)).await;
        } else if self.note().exists() {
            self.guest.set_trouble(Some(Trouble::Panicked));
        }
    }

    /// Lets it try again; it is well once it ran until the next look.
    async fn again(&self) {
        match self.status().await.as_deref() {
            Some("running") => self.set(None, ""),
            // Whoever paused it lets it go on.
            Some("io-error") if self.guest.phase() == Phase::Running => {
                if let Err(error) = self.qmp.call(Call::new("cont")).await {
                    tracing::warn!(name = self.guest.name(), %error, "it cannot go on");
                }
            }
            _ => {}
        }
    }

    async fn status(&self) -> Option<String> {
        let status = self.qmp.call(Call::new("query-status")).await.ok()?;
        status["status"].as_str().map(str::to_owned)
    }

    fn set(&self, trouble: Option<Trouble>, why: &str) {
        let name = self.guest.name();
        match (self.guest.set_trouble(trouble), trouble) {
            (before, now) if before == now => {}
            (_, Some(_)) => {
                tracing::warn!(name, "{why}");
                self.tell("instance-crashed");
            }
            (Some(_), None) => {
                tracing::info!(name, "it goes on");
                self.tell("instance-resumed");
            }
            (None, None) => {}
        }
    }

    fn tell(&self, action: &str) {
        let (project, name) = (self.guest.project(), self.guest.name());
        self.world.tell(&Caller::default(), project, action, url::instance(project, name));
    }

    fn note(&self) -> PathBuf {
        let id = names::instance_id(self.guest.project(), self.guest.name());
        self.world.dirs.machine(&id).join(NOTE)
    }
}
