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

use tokio::{
    sync::{Mutex as Turn, Notify},
    task::JoinSet,
};

use crate::{
    Error, Host, Hosts, Lease, Result, ServiceConfig, State, journal::Journal, state::unix_now,
};

/// How long after a change the journal is forced to disk.
const SYNC: Duration = Duration::from_secs(5);

/// DHCP, advertisements and names on one bridge.
pub struct Service {
    shared: Arc<Shared>,
    tasks: Turn<Tasks>,
}

struct Tasks {
    set: JoinSet<()>,
    /// Why names are not served, when they are not.
    nameless: Option<Error>,
}

/// What the tasks share.
struct Shared {
    inner: Mutex<Inner>,
    /// The journal has grown.
    grown: Notify,
    /// There are other hosts.
    told: Notify,
}

struct Inner {
    state: State,
    journal: Journal,
}

impl Service {
    /// Reads the journal and opens the sockets. Within a tokio runtime.
    ///
    /// # Errors
    /// The journal cannot be read, or another program holds a port. Names are the exception, see
    /// [`Service::nameless`].
    pub fn start(config: ServiceConfig) -> Result<Service> {
        let (journal, table) = Journal::open(&config.state_dir)?;
        let state = State::new(config, Hosts::default(), table);
        let inner = Mutex::new(Inner { state, journal });
        let shared = Arc::new(Shared { inner, grown: Notify::new(), told: Notify::new() });
        let tasks = Turn::new(spawn(&shared)?);
        Ok(Service { shared, tasks })
    }

    /// Takes a new configuration. If it is the same, only what has failed is started again. Leases
    /// are kept.
    ///
    /// # Errors
    /// Another program holds a port; nothing runs then until the next update.
    pub async fn update(&self, config: ServiceConfig) -> Result<()> {
        let mut tasks = self.tasks.lock().await;
        let old = self.shared.config();
        if old == config && tasks.well() {
            if tasks.nameless.is_some() {
                tasks.nameless = names::spawn(&self.shared, &config, &mut tasks.set).err();
            }
            return Ok(());
        }
        tasks.set.shutdown().await;
        advertise::withdraw(&old, &config).await;
        self.shared.lock().state.configure(config);
        *tasks = spawn(&self.shared)?;
        Ok(())
    }

    /// Why names are not served, when they are not: another server holds the port, often one that
    /// listens on all addresses, and then answers guests in our place.
    pub async fn nameless(&self) -> Option<String> {
        let tasks = self.tasks.lock().await;
        let error = tasks.nameless.as_ref()?;
        let why = std::error::Error::source(error).map(|why| format!(": {why}"));
        Some(format!("{error}{}", why.unwrap_or_default()))
    }

    /// Tells which instances there are on this bridge.
    pub fn set_hosts(&self, hosts: Vec<Host>) {
        self.shared.with(|state, now| state.set_hosts(Hosts::new(hosts), now));
        self.shared.told.notify_one();
    }

    /// All addresses in use.
    pub fn leases(&self) -> Vec<Lease> {
        self.shared.lock().state.leases(unix_now())
    }

    /// Ends the tasks and closes the sockets. The journal stays.
    pub async fn stop(&self) {
        self.tasks.lock().await.set.shutdown().await;
        self.shared.sync();
    }
}

impl Tasks {
    /// Whether all still run: none ends by itself unless it panicked.
    fn well(&mut self) -> bool {
        match self.set.try_join_next() {
            Some(ended) => {
                tracing::error!(?ended, "a server of the bridge ended; all are started again");
                false
            }
            None => !self.set.is_empty(),
        }
    }
}

fn spawn(shared: &Arc<Shared>) -> Result<Tasks> {
    let config = shared.config();
    let mut set = JoinSet::new();
    if config.ipv4.as_ref().is_some_and(|v4| v4.dhcp.is_some()) {
        set.spawn(dhcp::serve4(shared.clone(), sockets::dhcp4(&config)?));
    }
    if let Some(v6) = &config.ipv6 {
        if v6.dhcp.is_some() {
            set.spawn(dhcp::serve6(shared.clone(), sockets::dhcp6(&config)?));
        }
        set.spawn(advertise::serve(shared.clone(), sockets::router(&config)?));
    }
    set.spawn(keep(shared.clone()));
    let nameless = names::spawn(shared, &config, &mut set).err();
    Ok(Tasks { set, nameless })
}

/// Forces the journal to disk after changes, away from the tasks that answer.
async fn keep(shared: Arc<Shared>) {
    loop {
        shared.grown.notified().await;
        tokio::time::sleep(SYNC).await;
        let shared = shared.clone();
        drop(tokio::task::spawn_blocking(move || shared.sync()).await);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn config(&self) -> ServiceConfig {
        self.lock().state.config.clone()
    }

    /// Forces the journal to disk; the lock is not held meanwhile.
    fn sync(&self) {
        let unsynced = self.lock().journal.unsynced();
        let synced = unsynced.and_then(|file| file.map_or(Ok(()), |file| file.sync()));
        if let Err(error) = synced {
            tracing::warn!(%error, "leases may be lost");
        }
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
        if !changes.is_empty() {
            self.grown.notify_one();
        }
        out
    }
}
