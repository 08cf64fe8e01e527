//! The daemon's end.

mod call;
mod connect;
mod exec;
mod files;
mod pump;
mod spool;
mod visitors;

use std::{sync::Arc, time::SystemTime};

use hyper::Method;
use runtime::Metrics;
use tokio::sync::watch;

pub use exec::Exec;
pub use files::Files;
pub use visitors::Visitor;

use self::call::Requests;
use crate::{
    error::Result,
    limits,
    words::{Clock, Info, Nics, Share, State},
};

/// The agent inside one virtual machine. Clones share the connection; it is closed when the last of
/// them and of what was made by them is gone.
#[derive(Clone)]
pub struct Agent {
    requests: Requests,
    version: Arc<str>,
    closed: watch::Receiver<bool>,
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (version, closed) = (&self.version, self.is_closed());
        f.debug_struct("Agent").field("version", version).field("closed", &closed).finish()
    }
}

impl Agent {
    /// Version of the agent, as it said when it was connected.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether the connection has ended. An agent that was killed is noticed when a new one comes,
    /// or the machine ends; until then calls end by their time.
    pub fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    /// Until the connection has ended.
    pub async fn closed(&self) {
        let mut closed = self.closed.clone();
        // An error means that whoever drove the connection is gone: ended too.
        let _ = closed.wait_for(|closed| *closed).await;
    }

    /// What runs there.
    pub async fn info(&self) -> Result<Info> {
        self.requests.get("tell about itself", "/1.0", limits::CALL).await
    }

    /// What the machine uses.
    pub async fn state(&self) -> Result<State> {
        self.requests.get("tell the machine's state", "/1.0/state", limits::CALL).await
    }

    /// What the machine used, in detail; an older agent cannot say.
    pub async fn metrics(&self) -> Result<Metrics> {
        self.requests.get("tell what the machine used", "/1.0/metrics", limits::CALL).await
    }

    /// Mounts a folder of the host's; one that is mounted is fine.
    pub async fn mount(&self, share: &Share) -> Result<()> {
        let request = self.requests.json(Method::PUT, "/1.0/shares", share);
        self.requests.done("mount a folder", request, limits::WORK).await
    }

    /// Unmounts one; one that is not mounted is fine.
    pub async fn unmount(&self, share: &Share) -> Result<()> {
        let request = self.requests.json(Method::DELETE, "/1.0/shares", share);
        self.requests.done("unmount a folder", request, limits::WORK).await
    }

    /// Gives cards that were just plugged their names and MTUs, once the guest's kernel has found them; an older agent cannot.
    pub async fn name_cards(&self, nics: &Nics) -> Result<()> {
        let request = self.requests.json(Method::PUT, "/1.0/nics", nics);
        self.requests.done("name network cards", request, limits::WORK).await
    }

    /// Sets the machine's clock: after it was paused, or resumed from a state.
    pub async fn set_clock(&self, now: SystemTime) -> Result<()> {
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let clock = Clock { now: i64::try_from(since.as_nanos()).unwrap_or(i64::MAX) };
        let request = self.requests.json(Method::PUT, "/1.0/clock", &clock);
        self.requests.done("set the clock", request, limits::CALL).await
    }
}
