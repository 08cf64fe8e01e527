//! Reconcilers: they compare what should be with what is, and act. They take no other input.
//!
//! A reconciler looks at the world each time it is activated, and never at what woke it, so that the
//! first activation after a crash is the same as any other. It is woken by a topic somebody touched
//! (a table of the store), and by its period, a little spread so that not all wake at once. After an
//! activation with errors the next one comes sooner, first after a second, then twice that and so on
//! up to the period.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::chain;
use crate::error::Shared;

/// What a reconciler watches: a table of the store, or any word agreed upon.
pub type Topic = &'static str;

/// One thing that is kept as it should be.
#[async_trait]
pub trait Reconciler<W: Send + Sync + 'static>: Send + 'static {
    /// A few words for the log and the status page.
    fn name(&self) -> &'static str;
    /// What wakes it.
    fn topics(&self) -> &'static [Topic];
    /// The longest time without an activation.
    fn period(&self) -> Duration;
    /// Compares and acts. Goes on after an error and gathers them.
    async fn activate(&mut self, world: &Arc<W>) -> Report;
}

/// What an activation did.
#[derive(Debug, Default)]
pub struct Report {
    /// Things that were not as they should be, and are now.
    pub changed: usize,
    /// Things that are still not.
    pub errors: Vec<Shared>,
    /// Comes again after this time even if the period is longer.
    pub again: Option<Duration>,
}

impl Report {
    /// One more thing that is still not as it should be.
    pub fn fail(&mut self, error: Shared) {
        self.errors.push(error);
    }

    /// Counts a repair or its failure.
    pub fn note<E: std::error::Error + Send + Sync + 'static>(&mut self, result: Result<(), E>) {
        match result {
            Ok(()) => self.changed += 1,
            Err(error) => self.fail(Arc::new(error)),
        }
    }
}

/// How a reconciler is doing.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// Its name.
    pub name: &'static str,
    /// Activations since the start.
    pub runs: u64,
    /// Things it repaired since the start.
    pub changed: u64,
    /// Activations in a row that had errors.
    pub failing: u32,
    /// The errors of the last activation.
    pub errors: Vec<String>,
}

/// Drives all reconcilers of a daemon, one tokio task each. Dropping it stops them at once.
pub struct Reconcilers<W> {
    world: Arc<W>,
    drivers: Vec<Driver>,
}

struct Driver {
    topics: &'static [Topic],
    wake: watch::Sender<u64>,
    runs: watch::Receiver<u64>,
    health: Arc<Mutex<Health>>,
    task: JoinHandle<()>,
}

impl<W: Send + Sync + 'static> Reconcilers<W> {
    /// None yet.
    pub fn new(world: Arc<W>) -> Reconcilers<W> {
        Reconcilers { world, drivers: Vec::new() }
    }

    /// Starts a reconciler; its first activation is at once. Must be called inside tokio.
    pub fn start(&mut self, reconciler: impl Reconciler<W>) {
        let topics = reconciler.topics();
        let name = reconciler.name();
        let health = Arc::new(Mutex::new(Health { name, ..Health::default() }));
        let (wake, woken) = watch::channel(0);
        let (ran, runs) = watch::channel(0);
        let task = drive(reconciler, self.world.clone(), woken, ran, health.clone());
        let task = tokio::spawn(task);
        self.drivers.push(Driver { topics, wake, runs, health, task });
    }

    /// Wakes those that watch this topic.
    pub fn wake(&self, topic: &str) {
        for driver in self.drivers.iter().filter(|driver| driver.topics.contains(&topic)) {
            driver.wake.send_modify(|count| *count += 1);
        }
    }

    /// Wakes all, and waits until each has run once from begin to end.
    pub async fn settle(&self) {
        for driver in &self.drivers {
            driver.wake.send_modify(|count| *count += 1);
        }
        for driver in &self.drivers {
            let wanted = *driver.wake.borrow();
            let mut runs = driver.runs.clone();
            // A driver ends only together with `self`.
            drop(runs.wait_for(|seen| *seen >= wanted).await);
        }
    }

    /// How all are doing.
    pub fn health(&self) -> Vec<Health> {
        self.drivers.iter().map(|driver| lock(&driver.health).clone()).collect()
    }
}

impl<W> Drop for Reconcilers<W> {
    fn drop(&mut self) {
        for driver in &self.drivers {
            driver.task.abort();
        }
    }
}

/// `ran` tells the newest wake-up that an activation has seen from its begin.
async fn drive<W: Send + Sync + 'static>(
    mut reconciler: impl Reconciler<W>,
    world: Arc<W>,
    mut woken: watch::Receiver<u64>,
    ran: watch::Sender<u64>,
    health: Arc<Mutex<Health>>,
) {
    loop {
        let seen = *woken.borrow_and_update();
        let report = reconciler.activate(&world).await;
        let failing = note(&health, &report);
        ran.send_replace(seen);
        let pause = pause(reconciler.period(), report.again, failing);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            changed = woken.changed() => if changed.is_err() { return },
        }
    }
}

fn note(health: &Mutex<Health>, report: &Report) -> u32 {
    let mut health = lock(health);
    health.runs += 1;
    health.changed += report.changed as u64;
    let errors: Vec<String> = report.errors.iter().map(|error| chain(error.as_ref())).collect();
    health.failing = if errors.is_empty() { 0 } else { health.failing.saturating_add(1) };
    // Once is enough; `Health` has it as long as it lasts.
    if !errors.is_empty() && errors != health.errors {
        tracing::warn!(reconciler = health.name, ?errors, "not yet as it should be");
    }
    health.errors = errors;
    health.failing
}

/// The period, less up to a tenth of it; sooner after errors or when asked.
fn pause(period: Duration, again: Option<Duration>, failing: u32) -> Duration {
    let backoff = Duration::from_secs(1)
        .saturating_mul(2_u32.saturating_pow(failing.saturating_sub(1).min(20)));
    let wanted = if failing > 0 { backoff.min(period) } else { period };
    let wanted = again.map_or(wanted, |again| again.min(wanted));
    wanted - wanted.mul_f64(0.1 * fraction())
}

/// Random, from 0 up to 1.
fn fraction() -> f64 {
    f64::from(RandomState::new().build_hasher().finish() as u32) / f64::from(u32::MAX)
}

fn lock(health: &Mutex<Health>) -> MutexGuard<'_, Health> {
    health.lock().unwrap_or_else(PoisonError::into_inner)
}
