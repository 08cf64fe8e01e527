//! Progress upward, cancellation downward: handed to everything that may take long.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A handle shared by who waits for a long piece of work and who does it. Clones are the same
/// handle: cancelling one cancels all.
#[derive(Clone, Default)]
pub struct Control {
    inner: Arc<Inner>,
}

type Sink = Box<dyn Fn(&Progress) + Send + Sync>;

#[derive(Default)]
struct Inner {
    cancelled: AtomicBool,
    sink: Option<Sink>,
}

impl Control {
    /// A handle whose reports go to `sink`. The worker's thread calls it, so it must not block.
    pub fn new(sink: impl Fn(&Progress) + Send + Sync + 'static) -> Control {
        Control { inner: Arc::new(Inner { sink: Some(Box::new(sink)), ..Inner::default() }) }
    }

    /// A handle nobody listens to and nobody cancels.
    pub fn none() -> Control {
        Control::default()
    }

    /// Asks the worker to stop. It does at its next check, after cleaning up.
    pub fn cancel(&self) {
        self.inner.cancelled.store(true, Ordering::Release);
    }

    /// Whether somebody asked to stop.
    pub fn cancelled(&self) -> bool {
        self.inner.cancelled.load(Ordering::Acquire)
    }

    /// The same as an error, for use with `?` inside loops.
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.cancelled() { Err(Cancelled) } else { Ok(()) }
    }

    /// Tells whoever listens how far the work is.
    pub fn report(&self, progress: Progress) {
        if let Some(sink) = &self.inner.sink {
            sink(&progress);
        }
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("cancelled", &self.cancelled()).finish_non_exhaustive()
    }
}

/// The work was stopped because its [`Control`] was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cancelled")]
pub struct Cancelled;

/// How far a piece of work is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// What is being done, in a few words a user may read: "unpack rootfs".
    pub stage: Cow<'static, str>,
    /// 0 to 100, where known.
    pub percent: Option<u8>,
    /// Bytes done so far, 0 where bytes are not counted.
    pub bytes: u64,
    /// Bytes in all, where known.
    pub total: Option<u64>,
}

impl Progress {
    /// A stage without numbers.
    pub fn stage(stage: impl Into<Cow<'static, str>>) -> Progress {
        Progress { stage: stage.into(), ..Progress::default() }
    }

    /// A stage that is `percent` done; more than 100 counts as 100.
    pub fn percent(stage: impl Into<Cow<'static, str>>, percent: u8) -> Progress {
        Progress { percent: Some(percent.min(100)), ..Progress::stage(stage) }
    }

    /// A stage counted in bytes; the percentage follows from the total.
    pub fn bytes(stage: impl Into<Cow<'static, str>>, bytes: u64, total: Option<u64>) -> Progress {
        let share = |total: u64| u128::from(bytes) * 100 / u128::from(total);
        let percent = total.filter(|total| *total > 0).map(|total| share(total).min(100) as u8);
        Progress { stage: stage.into(), percent, bytes, total }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn cancelling_a_clone_cancels_the_original() {
        let control = Control::none();
        assert_eq!(control.check(), Ok(()));
        control.clone().cancel();
        assert!(control.cancelled());
        assert_eq!(control.check(), Err(Cancelled));
        assert_eq!(Control::none().check(), Ok(()), "other handles are not touched");
    }

    #[test]
    fn reports_arrive_in_order() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&seen);
        let control = Control::new(move |p| sink.lock().unwrap().push(p.clone()));
        control.report(Progress::stage("fetch"));
        control.clone().report(Progress::bytes("fetch", 50, Some(200)));
        let seen = seen.lock().unwrap();
        assert_eq!(seen[0], Progress { stage: "fetch".into(), ..Progress::default() });
        assert_eq!((seen[1].percent, seen[1].bytes, seen[1].total), (Some(25), 50, Some(200)));
    }

    #[test]
    fn percentages_stay_in_range() {
        assert_eq!(Progress::bytes("x", 300, Some(200)).percent, Some(100));
        assert_eq!(Progress::bytes("x", u64::MAX, Some(u64::MAX)).percent, Some(100));
        assert_eq!(Progress::bytes("x", 5, Some(0)).percent, None);
        assert_eq!(Progress::percent("x", 200).percent, Some(100));
    }
}
