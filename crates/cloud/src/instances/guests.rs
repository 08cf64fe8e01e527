//! The instances that run on this member, each held by its monitor.
//!
//! ```text
//! hold (Starting) ── set Running <──> Frozen ── end(reason) ──> forgotten
//! ```
//! A guest stays here until everything that follows its exit is done, so that whoever finds it may
//! wait for the end, and a new start never meets what an old one left.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use options::device::Usb;
use runtime::Monitor;
use spec::{InstanceSpec, ProxySpec};
use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};

use super::{
    gauges::{Gauges, Reading},
    machine::trouble::Trouble,
    nodes::Wanted,
};
use crate::{Result, devlxd::GuestSide, names};

/// Where a guest stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Its monitor is there, its first process not yet.
    Starting,
    /// It runs.
    Running,
    /// It is paused.
    Frozen,
    /// It is gone and all that followed is done.
    Gone,
}

/// What is to become of a guest once it has stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum After {
    /// Nobody said: it stopped by itself.
    #[default]
    Unsaid,
    /// It stays stopped.
    Stopped,
    /// It starts again: whoever says so does it.
    Running,
    /// It starts again when the machine does, unless its options say something else.
    NextBoot,
    /// Another member has it.
    Elsewhere,
}

/// An instance that runs, or is about to.
#[derive(Clone)]
pub struct Guest(Arc<Inner>);

struct Inner {
    project: String,
    name: String,
    monitor: Monitor,
    spec: InstanceSpec,
    phase: watch::Sender<Phase>,
    after: Mutex<After>,
    ports: tokio::sync::Mutex<()>,
    qmp: OnceLock<vm::Qmp>,
    agent: watch::Sender<Option<agent::Agent>>,
    /// Until when an agent that was there before is waited for.
    returns: OnceLock<Instant>,
    shares: Mutex<BTreeMap<String, agent::Share>>,
    usb: Mutex<BTreeMap<String, Usb>>,
    nodes: Mutex<Wanted>,
    proxies: Mutex<BTreeMap<String, ProxySpec>>,
    trouble: Mutex<Option<Trouble>>,
    devlxd: GuestSide,
    gauges: Gauges,
    /// Ends the session of who is attached to the console.
    console: Mutex<Option<oneshot::Sender<()>>>,
}

impl Guest {
    /// A guest whose monitor is there.
    pub fn new(
        project: &str,
        name: &str,
        monitor: Monitor,
        spec: InstanceSpec,
        phase: Phase,
    ) -> Guest {
        Guest(Arc::new(Inner {
            project: project.to_owned(),
            name: name.to_owned(),
            monitor,
            spec,
            phase: watch::Sender::new(phase),
            after: Mutex::default(),
            ports: tokio::sync::Mutex::new(()),
            qmp: OnceLock::new(),
            agent: watch::Sender::default(),
            returns: OnceLock::new(),
            shares: Mutex::default(),
            usb: Mutex::default(),
            nodes: Mutex::default(),
            proxies: Mutex::default(),
            trouble: Mutex::default(),
            devlxd: GuestSide::default(),
            gauges: Gauges::default(),
            console: Mutex::default(),
        }))
    }

    /// Gives somebody the console: it is his until what is returned is dropped, or says that another has it. None while
    /// somebody has it; he loses it where that is taken by force.
    pub(crate) fn take_console(&self, force: bool) -> Option<oneshot::Receiver<()>> {
        let mut held = self.0.console.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(other) = held.take_if(|other| force || other.is_closed()) {
            // He may have gone meanwhile.
            let _ = other.send(());
        }
        if held.is_some() {
            return None;
        }
        let (holder, turn) = oneshot::channel();
        *held = Some(holder);
        Some(turn)
    }

    /// Its project.
    pub fn project(&self) -> &str {
        &self.0.project
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What holds it.
    pub fn monitor(&self) -> &Monitor {
        &self.0.monitor
    }

    /// What it was started with.
    pub fn spec(&self) -> &InstanceSpec {
        &self.0.spec
    }

    /// Keeps the connection with the QEMU of a virtual machine.
    pub(crate) fn set_qmp(&self, qmp: vm::Qmp) {
        // There is one for as long as the guest is.
        let _ = self.0.qmp.set(qmp);
    }

    /// The connection with its QEMU; `None` for a container.
    pub(crate) fn qmp(&self) -> Option<&vm::Qmp> {
        self.0.qmp.get()
    }

    /// Notes that the agent in a virtual machine came or went.
    pub(crate) fn set_agent(&self, agent: Option<agent::Agent>) {
        self.0.agent.send_replace(agent);
    }

    /// The agent in a virtual machine, while it is connected.
    pub(crate) fn agent(&self) -> Option<agent::Agent> {
        let agent = self.0.agent.borrow().clone();
        agent.filter(|agent| !agent.is_closed())
    }

    /// Says that its agent was there before this daemon knew the guest, and is connected within that time.
    pub(crate) fn expect_agent(&self, within: Duration) {
        // A guest is attended to once.
        let _ = self.0.returns.set(Instant::now() + within);
    }

    /// Whether it may be connected any moment.
    pub(crate) fn expects_agent(&self) -> bool {
        self.0.returns.get().is_some_and(|until| *until > Instant::now())
    }

    /// Waits for one that is expected, no longer than it is.
    pub(crate) async fn await_agent(&self) {
        let Some(until) = self.0.returns.get() else { return };
        let mut agent = self.0.agent.subscribe();
        let there = agent.wait_for(|agent| agent.as_ref().is_some_and(|it| !it.is_closed()));
        tokio::select! {
            _ = tokio::time::timeout_at(*until, there) => {}
            () = self.gone() => {}
        }
    }

    /// The host's folders that a virtual machine has, by their devices.
    pub(crate) fn shares(&self) -> MutexGuard<'_, BTreeMap<String, agent::Share>> {
        self.0.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The USB devices that a virtual machine is to have, by its devices.
    pub(crate) fn usb(&self) -> MutexGuard<'_, BTreeMap<String, Usb>> {
        self.0.usb.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The devices of the server that a container is to have nodes of.
    pub(crate) fn nodes(&self) -> MutexGuard<'_, Wanted> {
        self.0.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The proxies that are to run for it, by their devices.
    pub(crate) fn proxies(&self) -> MutexGuard<'_, BTreeMap<String, ProxySpec>> {
        self.0.proxies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What keeps a virtual machine from going on.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        *self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes it; gives what it was before.
    pub(crate) fn set_trouble(&self, trouble: Option<Trouble>) -> Option<Trouble> {
        let mut now = self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut now, trouble)
    }

    /// Its side of the guest API.
    pub fn devlxd(&self) -> &GuestSide {
        &self.0.devlxd
    }

    /// Reads what it uses, and its network; blocks.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn read_gauges(&self) -> Result<Reading> {
        self.0.gauges.read(self)
    }

    /// Looks at it no more: it has stopped.
    pub(crate) fn close_gauges(&self) {
        self.0.gauges.close();
    }

    /// Where it stands.
    pub fn phase(&self) -> Phase {
        *self.0.phase.borrow()
    }

    /// Notes where it stands now.
    pub fn set_phase(&self, phase: Phase) {
        self.0.phase.send_replace(phase);
    }

    /// Says what is to become of it once it has stopped.
    pub fn set_after(&self, after: After) {
        *self.after_lock() = after;
    }

    /// The same where nobody said anything yet.
    pub fn set_after_unsaid(&self, after: After) {
        let mut said = self.after_lock();
        if *said == After::Unsaid {
            *said = after;
        }
    }

    /// What is to become of it once it has stopped.
    pub fn after(&self) -> After {
        *self.after_lock()
    }

    fn after_lock(&self) -> MutexGuard<'_, After> {
        self.0.after.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be held by whoever removes its network devices, so that a removal begun before its end is
    /// over before a next start makes new ones of the same names.
    pub(crate) fn ports(&self) -> &tokio::sync::Mutex<()> {
        &self.0.ports
    }

    /// Waits until it is gone and all that followed is done.
    pub async fn gone(&self) {
        let mut phase = self.0.phase.subscribe();
        // An error means that the guest itself was dropped: gone too.
        let _ = phase.wait_for(|phase| *phase == Phase::Gone).await;
    }
}

/// The guests of this member by id. Cheap to clone.
#[derive(Clone, Default)]
pub struct Guests(Arc<Mutex<HashMap<String, Guest>>>);

impl Guests {
    /// The guest of an instance.
    pub fn get(&self, project: &str, name: &str) -> Option<Guest> {
        self.map().get(&names::instance_id(project, name)).cloned()
    }

    /// All of them.
    pub fn all(&self) -> Vec<Guest> {
        self.map().values().cloned().collect()
    }

    /// Takes a guest in.
    pub fn hold(&self, guest: Guest) {
        self.map().insert(names::instance_id(guest.project(), guest.name()), guest);
    }

    /// Forgets a guest and tells those who wait for its end.
    pub fn end(&self, guest: &Guest) {
        let id = names::instance_id(guest.project(), guest.name());
        let mut map = self.map();
        if map.get(&id).is_some_and(|held| Arc::ptr_eq(&held.0, &guest.0)) {
            map.remove(&id);
        }
        drop(map);
        guest.devlxd().hush();
        guest.set_phase(Phase::Gone);
    }

    fn map(&self) -> MutexGuard<'_, HashMap<String, Guest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
