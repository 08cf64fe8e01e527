//! Faults on demand, for the laws and for the lab.
//!
//! A default `Faults` does nothing and costs a few comparisons a step. The real daemon reads only one
//! from its environment: `MICROCLOUD_CRASH_AFTER_JOURNAL_WRITE=n` makes it kill itself with SIGKILL
//! once the n-th write of the journal is in the file.

use tokio::sync::watch;

/// The variable that makes a daemon kill itself after a journal write.
pub const CRASH_VARIABLE: &str = "MICROCLOUD_CRASH_AFTER_JOURNAL_WRITE";

/// Where a task fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fail {
    /// Instead of running this step (counted from 0).
    Before(usize),
    /// After this step had its effect.
    After(usize),
}

/// Where the process ends. Steps are counted from 0, journal writes from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The write does not reach the journal.
    BeforeWrite(u64),
    /// The write is in the journal, nothing after it happens.
    AfterWrite(u64),
    /// The step had its effect, its notes are not in the journal.
    AfterStep(usize),
    /// As `AfterWrite`, with a real SIGKILL.
    Kill(u64),
}

/// What shall go wrong.
#[derive(Clone, Debug)]
pub struct Faults {
    /// A step fails.
    pub fail: Option<Fail>,
    /// The process ends; in a test the runner just stops where it is.
    pub crash: Option<Crash>,
    /// Somebody cancels right before this step.
    pub cancel_before: Option<usize>,
    /// Every undo fails.
    pub fail_undo: bool,
    /// Every step and every undo runs twice.
    pub twice: bool,
    /// Writes that are not made durable are lost, as a power cut would.
    pub lose_writes: bool,
    /// Becomes true when the simulated crash happened.
    pub crashed: watch::Sender<bool>,
}

impl Default for Faults {
    fn default() -> Faults {
        Faults {
            fail: None,
            crash: None,
            cancel_before: None,
            fail_undo: false,
            twice: false,
            lose_writes: false,
            crashed: watch::Sender::new(false),
        }
    }
}

impl Faults {
    /// What the environment asks for.
    pub fn from_env() -> Faults {
        let write = std::env::var(CRASH_VARIABLE).ok().and_then(|text| text.parse().ok());
        Faults { crash: write.map(Crash::Kill), ..Faults::default() }
    }

    /// Resolves when the simulated crash happened.
    pub async fn crashed(&self) {
        // The sender lives as long as `self`.
        drop(self.crashed.subscribe().wait_for(|crashed| *crashed).await);
    }

    /// Whether a journal write would be the last one; then nothing after it may share its commit.
    pub(crate) fn watches_writes(&self) -> bool {
        matches!(self.crash, Some(Crash::BeforeWrite(_) | Crash::AfterWrite(_) | Crash::Kill(_)))
    }

    pub(crate) fn crash_before_write(&self, write: u64) -> bool {
        self.crash == Some(Crash::BeforeWrite(write)) && self.mark()
    }

    pub(crate) fn crash_after_write(&self, write: u64) -> bool {
        if self.crash == Some(Crash::Kill(write)) {
            kill();
        }
        self.crash == Some(Crash::AfterWrite(write)) && self.mark()
    }

    pub(crate) async fn crash_after_step(&self, step: usize) {
        if self.crash == Some(Crash::AfterStep(step)) && self.mark() {
            std::future::pending().await
        }
    }

    fn mark(&self) -> bool {
        self.crashed.send_replace(true);
        true
    }
}

fn kill() {
    let me = rustix::process::getpid();
    // There is nobody left to tell of a failure; abort is nearly as sudden.
    if rustix::process::kill_process(me, rustix::process::Signal::KILL).is_err() {
        std::process::abort();
    }
}
