//! The running servers of one bridge.
//!
//! ```text
//! start -> running -update-> running -stop-> stopped
//! ```
//!
//! One task a socket; all share the [`State`] behind a lock that is never held across an await.
//! Dropping the service ends its tasks.

mod advertise;
mod dhcp;
mod names;
mod sockets;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Mutex as Turn, task::JoinSet};

use crate::{Host, Hosts, Lease, Result, ServiceConfig, State, journal::Journal, state::unix_now};

/// How often the journal is forced to disk, if it has grown.
const SYNC: Duration = Duration::from_secs(5);

/// DHCP, advertisements and names on one bridge.
pub struct Service {
    shared: Arc<Shared>,
    tasks: Turn<JoinSet<()>>,
}

/// What the tasks share.
struct Shared {
    inner: Mutex<Inner>,
}

struct Inner {
    state: State,
    journal: Journal,
}

impl Service {
    /// Reads the journal and opens the sockets. Within a tokio runtime.
    ///
    /// # Errors
    /// The journal cannot be read, or another program holds a port.
    pub fn start(config: ServiceConfig) -> Result<Service> {
        let (journal, table) = Journal::open(&config.state_dir)?;
        let state = State::new(config, Hosts::default(), table);
        let shared = Arc::new(Shared { inner: Mutex::new(Inner { state, journal }) });
        let tasks = spawn(&shared)?;
        Ok(Service { shared, tasks: Turn::new(tasks) })
    }

    /// Takes a new configuration; nothing happens if it is the same. Leases are kept.
    ///
    /// # Errors
    /// Another program holds a port; nothing runs then until the next update.
    pub async fn update(&self, config: ServiceConfig) -> Result<()> {
        let mut tasks = self.tasks.lock().await;
        let old = self.shared.config();
        if old == config && !tasks.is_empty() {
            return Ok(());
        }
        tasks.shutdown().await;
        advertise::withdraw(&old, &config).await;
        self.shared.lock().state.configure(config);
        *tasks = spawn(&self.shared)?;
        Ok(())
    }

    /// Tells which instances there are on this bridge.
    pub fn set_hosts(&self, hosts: Vec<Host>) {
        self.shared.lock().state.set_hosts(Hosts::new(hosts));
    }

    /// All addresses in use.
    pub fn leases(&self) -> Vec<Lease> {
        self.shared.lock().state.leases(unix_now())
    }

    /// Ends the tasks and closes the sockets. The journal stays.
    pub async fn stop(&self) {
        self.tasks.lock().await.shutdown().await;
        if let Err(error) = self.shared.lock().journal.sync() {
            tracing::warn!(%error, "leases may be lost");
        }
    }
}

fn spawn(shared: &Arc<Shared>) -> Result<JoinSet<()>> {
    let config = shared.config();
    let mut tasks = JoinSet::new();
    if config.ipv4.as_ref().is_some_and(|v4| v4.dhcp.is_some()) {
        tasks.spawn(dhcp::serve4(shared.clone(), sockets::dhcp4(&config)?));
    }
    if let Some(v6) = &config.ipv6 {
        if v6.dhcp.is_some() {
            tasks.spawn(dhcp::serve6(shared.clone(), sockets::dhcp6(&config)?));
        }
        tasks.spawn(advertise::serve(shared.clone(), sockets::router(&config)?));
    }
    names::spawn(shared, &config, sockets::dns(&config)?, &mut tasks);
    tasks.spawn(keep(shared.clone()));
    Ok(tasks)
}

/// Forces the journal to disk now and then, away from the tasks that answer.
async fn keep(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(SYNC).await;
        let shared = shared.clone();
        let synced = tokio::task::spawn_blocking(move || shared.lock().journal.sync()).await;
        if let Ok(Err(error)) = synced {
            tracing::warn!(%error, "leases may be lost");
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn config(&self) -> ServiceConfig {
        self.lock().state.config.clone()
    }

    /// Lets a state machine work, then journals what it did.
    fn with<T>(&self, work: impl FnOnce(&mut State, u64) -> T) -> T {
        let mut inner = self.lock();
        let out = work(&mut inner.state, unix_now());
        let changes = inner.state.table.take_changes();
        let Inner { state, journal } = &mut *inner;
        if let Err(error) = journal.append(&changes, &state.table) {
            tracing::warn!(%error, "leases will not survive a restart");
        }
        out
    }
}
