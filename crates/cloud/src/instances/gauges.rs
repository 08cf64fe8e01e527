//! What is read of a guest again and again, held open while it runs: its first process, the counters of its control
//! groups, a view of its network.
//!
//! A list reads all of them, so each reading counts: some microseconds through what is open, a thread and two questions to
//! the monitor to open it.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use network::{Interface, NetnsView};
use runtime::{Meter, Usage};

use super::guests::Guest;
use crate::Result;

/// The gauges of one guest; nothing is open before the first reading. They close with the guest, or when it stops: a
/// network namespace stays as long as somebody looks at it.
#[derive(Default)]
pub(crate) struct Gauges {
    open: Mutex<Option<Open>>,
    closed: AtomicBool,
}

struct Open {
    pid: i32,
    meter: Meter,
    /// A virtual machine's network is not to be seen from here.
    network: Option<NetnsView>,
}

/// What the gauges showed.
pub(crate) struct Reading {
    /// Its first process, or its QEMU.
    pub(crate) pid: i32,
    pub(crate) usage: Usage,
    /// The interfaces of a container, as it sees them; those of one that is just ending are gone.
    pub(crate) network: Vec<Interface>,
}

impl Gauges {
    /// Reads them; blocks.
    ///
    /// # Errors
    /// The guest has ended.
    pub(crate) fn read(&self, guest: &Guest) -> Result<Reading> {
        let mut held = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if self.closed.load(Ordering::Acquire) {
            *held = None;
            return Err(runtime::Error::Gone.into());
        }
        let open = match &mut *held {
            Some(open) => open,
            none => none.insert(Open::of(guest)?),
        };
        let network = open.network.as_mut().map(NetnsView::interfaces);
        Ok(Reading {
            pid: open.pid,
            usage: open.meter.read(),
            network: network.and_then(Result::ok).map(<[Interface]>::to_vec).unwrap_or_default(),
        })
    }

    /// Lets go of what is open, or lets those who read just now do so: nothing is opened any more.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        if let Ok(mut held) = self.open.try_lock() {
            *held = None;
        }
    }
}

impl Open {
    fn of(guest: &Guest) -> Result<Open> {
        let (monitor, spec) = (guest.monitor(), guest.spec());
        let pid = monitor.info()?.pid;
        let network = if spec.machine { None } else { Some(NetnsView::open(monitor.netns()?)?) };
        Ok(Open { pid, meter: Meter::open(spec)?, network })
    }
}
