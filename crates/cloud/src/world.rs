//! The one world of a daemon: what the steps of tasks act on. Built in one place, by the binary.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use network::Plane;
use serde_json::{Map, Value};
use store::Store;
use tasks::{Bus, Locks, Operation, Operations, Request, Runner, Stuck, Task};
use tls::{Identity, Purpose};
use tokio::sync::{mpsc, watch};
use wire::{EventLifecycle, Requestor};

use crate::{
    Dirs, Host, Result,
    access::Rights,
    cluster::{Cluster, Links},
    db::members,
    depots::Depots,
    devlxd::{self, Desk},
    images::Catalogs,
    instances::{
        guests::{Guest, Guests},
        kept::Kept,
        power::Powers,
    },
    metrics::Requests,
    migration::Voyages,
    names,
    networks::hosts::Hosts,
    server::Doors,
    storage::{Pools, buckets::Stores},
    warnings::Notes,
};

/// Everything a verb needs.
pub struct World {
    /// Where what is kept.
    pub dirs: Dirs,
    /// Marks what this daemon has outside its folder: control groups, links.
    pub tag: String,
    me: RwLock<String>,
    /// This machine.
    pub host: Host,
    /// The program that becomes a monitor.
    pub binary: PathBuf,
    /// The replicated state.
    pub store: Store,
    /// The other members, if there are some.
    pub cluster: Cluster,
    /// Work under way, and who waits for whom.
    pub operations: Operations,
    /// Links, addresses, packet filter, leases.
    pub plane: Plane,
    /// The pools that are open.
    pub pools: Pools,
    /// Where the files of images and of backups are.
    pub(crate) depots: Depots,
    /// What was told networks of instances.
    pub hosts: Hosts,
    /// The objects of the buckets that are in use.
    pub buckets: Stores,
    /// The instances that run here.
    pub guests: Guests,
    /// What was listed last.
    pub(crate) kept: Kept,
    /// Which of them were started or stopped while no majority was there to note it.
    pub powers: Powers,
    /// Guests whose end is to be awaited; see [`crate::instances::exit::follow`].
    pub started: mpsc::UnboundedSender<Guest>,
    /// Trouble that was met and is not over.
    pub warnings: Notes,
    /// What the API was asked.
    pub requests: Requests,
    /// When the daemon began.
    pub began: Instant,
    /// What goes to other servers, or comes from them.
    pub(crate) voyages: Voyages,
    /// What servers of images have.
    pub(crate) catalogs: Catalogs,
    runner: OnceLock<Runner<World>>,
    doors: OnceLock<Doors>,
    desk: OnceLock<Desk>,
    identity: OnceLock<Arc<Identity>>,
    /// The one that all members of a cluster show clients.
    shared_identity: RwLock<Option<Arc<Identity>>>,
    /// Held while the server's certificate is made.
    making: Mutex<()>,
    closing: AtomicBool,
    /// Whether what is there was found, so that clients can be answered.
    open: AtomicBool,
}

/// What the binary hands over to make a world.
pub struct Parts {
    /// Where what is kept.
    pub dirs: Dirs,
    /// This machine.
    pub host: Host,
    /// The program that becomes a monitor.
    pub binary: PathBuf,
    /// The replicated state.
    pub store: Store,
    /// The way to the other members.
    pub links: Arc<Links>,
    /// Links, addresses, packet filter, leases.
    pub plane: Plane,
}

/// Who asks.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Caller {
    /// As events name them; `None` is the daemon itself.
    pub requestor: Option<Requestor>,
    /// What it may do.
    #[serde(default)]
    pub rights: Rights,
}

impl World {
    /// A world in which nothing runs yet, and where its started guests arrive.
    pub fn new(parts: Parts) -> (World, mpsc::UnboundedReceiver<Guest>) {
        let (started, receiver) = mpsc::unbounded_channel();
        // A member has the name that its row says; a new one that of its machine.
        let places = parts.store.peek(members::places).unwrap_or_default();
        let own = places.into_iter().find(|place| place.id == parts.store.status().me);
        let me = own.map(|own| own.name);
        let number = u16::try_from(parts.store.status().me).unwrap_or(0);
        let world = World {
            tag: names::daemon_tag(parts.dirs.root()),
            kept: Kept::default(),
            powers: Powers::open(&parts.dirs.powers()),
            depots: Depots::new(&parts.dirs),
            dirs: parts.dirs,
            me: RwLock::new(me.unwrap_or_else(|| parts.host.name.clone())),
            host: parts.host,
            binary: parts.binary,
            store: parts.store,
            cluster: Cluster::new(parts.links),
            operations: Operations::new(Bus::new("none"), Locks::new()),
            plane: parts.plane,
            pools: Pools::default(),
            hosts: Hosts::default(),
            buckets: Stores::default(),
            guests: Guests::default(),
            started,
            warnings: Notes::default(),
            requests: Requests::default(),
            began: Instant::now(),
            voyages: Voyages::default(),
            catalogs: Catalogs::default(),
            runner: OnceLock::new(),
            doors: OnceLock::new(),
            desk: OnceLock::new(),
            identity: OnceLock::new(),
            shared_identity: RwLock::default(),
            making: Mutex::default(),
            closing: AtomicBool::new(false),
            open: AtomicBool::new(false),
        };
        world.operations.set_member(number);
        (world, receiver)
    }

    /// Gives the world what runs tasks on it; once, at start.
    pub fn set_runner(&self, runner: Runner<World>) {
        if self.runner.set(runner).is_err() {
            tracing::error!("the world has a task runner already");
        }
    }

    /// Gives the world the doors that clients come in by; once, at start.
    pub fn set_doors(&self, doors: Doors) {
        if self.doors.set(doors).is_err() {
            tracing::error!("the world has its doors already");
        }
    }

    /// The doors that clients come in by, where there are some.
    pub(crate) fn doors(&self) -> Option<&Doors> {
        self.doors.get()
    }

    /// Gives the world what answers the instances; once, before they are found.
    pub fn set_desk(&self, serve: devlxd::Serve) {
        if self.desk.set(Desk::new(serve)).is_err() {
            tracing::error!("the world answers its instances already");
        }
    }

    /// What answers the instances, where there is something.
    pub(crate) fn desk(&self) -> Option<&Desk> {
        self.desk.get()
    }

    /// This member's name.
    pub fn me(&self) -> String {
        self.me.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_me(&self, name: &str) {
        let mut me = self.me.write().unwrap_or_else(PoisonError::into_inner);
        if *me != name {
            name.clone_into(&mut me);
        }
    }

    /// The certificate that clients see: that of the cluster, or the server's own while it is alone.
    ///
    /// # Errors
    /// When its files cannot be read, made or understood.
    pub fn identity(&self) -> Result<Arc<Identity>> {
        let (certificate, key) = (self.dirs.cluster_certificate(), self.dirs.cluster_key());
        if let Some(found) = &*self.shared_identity.read().unwrap_or_else(PoisonError::into_inner) {
            return Ok(found.clone());
        }
        // Held while they are read, so that what is kept is what stands in the files.
        let mut shared = self.shared_identity.write().unwrap_or_else(PoisonError::into_inner);
        if !certificate.exists() {
            return self.own_identity();
        }
        let found = Identity::read(&certificate, &key).map_err(crate::Error::Identity)?;
        Ok(shared.insert(Arc::new(found)).clone())
    }

    /// The server's own certificate: made when it is first asked for, and read once. Members know each other by it.
    ///
    /// # Errors
    /// When its files cannot be read, made or understood.
    pub fn own_identity(&self) -> Result<Arc<Identity>> {
        if let Some(found) = self.identity.get() {
            return Ok(found.clone());
        }
        let _one = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let (certificate, key) = (self.dirs.server_certificate(), self.dirs.server_key());
        let found = Identity::find(&certificate, &key, Purpose::Server(&self.host.name));
        let found = found.map_err(crate::Error::Identity)?;
        Ok(self.identity.get_or_init(|| Arc::new(found)).clone())
    }

    /// The key of the certificate that clients see, for a member that joins.
    pub(crate) fn shared_key(&self) -> Result<String> {
        let shared = self.dirs.cluster_key();
        let path = if shared.exists() { shared } else { self.dirs.server_key() };
        std::fs::read_to_string(&path).map_err(crate::Error::file("read", &path))
    }

    /// Keeps the certificate that all members show clients, durably.
    pub(crate) fn keep_shared_identity(&self, certificate: &str, key: &str) -> Result<()> {
        let (at, key_at) = (self.dirs.cluster_certificate(), self.dirs.cluster_key());
        let mut shared = self.shared_identity.write().unwrap_or_else(PoisonError::into_inner);
        *shared = None;
        let kept = tls::keep(&at, certificate, &key_at, key);
        kept.map_err(crate::Error::Identity)
    }

    /// From now on no task is taken that a client asks for: the instances are about to stop with
    /// the machine.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    /// From now on clients can be answered.
    pub fn open(&self) {
        self.open.store(true, Ordering::Release);
    }

    /// Whether what is there was found, so that clients can be answered.
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// Whether the instances are about to stop with the machine.
    pub(crate) fn closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Starts a task.
    pub fn submit<T: Task<World = World>>(&self, task: T, request: Request) -> Result<Operation> {
        if self.closing() {
            return Err(tasks::Error::ShuttingDown.into());
        }
        self.submit_still(task, request)
    }

    /// Starts a task that belongs to the stop of an instance, so that it is taken to the end.
    pub(crate) fn submit_still<T: Task<World = World>>(
        &self,
        task: T,
        request: Request,
    ) -> Result<Operation> {
        let runner =
            self.runner.get().ok_or(crate::Error::Unsupported("a task before the start"))?;
        Ok(runner.submit(task, request)?)
    }

    /// What tries tasks again whose undo failed; `None` before [`World::set_runner`].
    pub fn stuck(&self) -> Option<Stuck<World>> {
        self.runner.get().map(Stuck::new)
    }

    /// Changes when a task's undo failed for the first time; `None` before [`World::set_runner`].
    pub fn watch_stuck(&self) -> Option<watch::Receiver<u64>> {
        self.runner.get().map(tasks::Runner::watch_stuck)
    }

    /// Tries tasks again whose undo failed, as what hindered them is gone.
    pub(crate) async fn retry_stuck(&self) -> Result<()> {
        if let Some(runner) = self.runner.get() {
            runner.retry().await?;
        }
        Ok(())
    }

    /// Waits for the tasks under way; says how many are left.
    pub(crate) async fn idle(&self, patience: Duration) -> usize {
        match self.runner.get() {
            Some(runner) => runner.idle(patience).await,
            None => 0,
        }
    }

    /// Cancels what is under way and can be cancelled, so that its programs end with the daemon.
    pub fn cancel_operations(&self) {
        for operation in self.operations.list(None) {
            // One that cannot be cancelled, or has just ended, is left to itself.
            let _ = operation.cancel();
        }
    }

    /// Takes no new task and waits for those under way; says how many are left.
    pub async fn finish_tasks(&self, patience: Duration) -> usize {
        match self.runner.get() {
            Some(runner) => runner.shutdown(patience).await,
            None => 0,
        }
    }

    /// Where events go.
    pub fn bus(&self) -> &Bus {
        self.operations.bus()
    }

    /// Where names are claimed.
    pub fn locks(&self) -> &Locks {
        self.operations.locks()
    }

    /// Tells the listeners that something came, went or changed: `action` as in
    /// `profile-created`, `source` the thing's address in the API.
    pub fn tell(&self, caller: &Caller, project: &str, action: &str, source: String) {
        self.tell_with(caller, project, action, source, Map::new());
    }

    /// The same with details.
    pub fn tell_with(
        &self,
        caller: &Caller,
        project: &str,
        action: &str,
        source: String,
        context: Map<String, Value>,
    ) {
        let requestor = caller.requestor.clone();
        let event = EventLifecycle { action: action.to_owned(), source, context, requestor };
        self.bus().lifecycle(project, &event);
    }
}
