//! The wall clock. All of it is read here, so that a test can have one daemon's clock jump (`lab/tests/faults`), as that of
//! a board without a battery does once it hears of the time.
//!
//! It is for moments that somebody is told of, and for those at which something is over. What counts seconds uses
//! `Instant`, which never jumps.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use chrono::{DateTime, Utc};

/// Seconds that it is ahead of the machine's.
static AHEAD: AtomicI64 = AtomicI64::new(0);

/// This moment.
pub fn now() -> SystemTime {
    let ahead = AHEAD.load(Ordering::Relaxed);
    let by = Duration::from_secs(ahead.unsigned_abs());
    let now = SystemTime::now();
    let moved = if ahead < 0 { now.checked_sub(by) } else { now.checked_add(by) };
    moved.unwrap_or(now)
}

/// The same, as rows have it.
pub fn utc() -> DateTime<Utc> {
    now().into()
}

/// Time since 1970; none before that.
pub fn since_1970() -> Duration {
    now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// From now on this process' clock is so many seconds ahead of the machine's, or behind it. For tests.
pub fn set_ahead(seconds: i64) {
    AHEAD.store(seconds, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_jumps_ahead_and_back() {
        let hour = Duration::from_secs(3600);
        let machine = SystemTime::now();
        set_ahead(3600);
        assert!(now() >= machine + hour && now() < machine + 2 * hour);
        set_ahead(-3600);
        assert!(now() < machine && now() > machine - 2 * hour);
        assert_eq!(utc().timestamp(), since_1970().as_secs().cast_signed());
        set_ahead(0);
        assert!(now() >= machine && now() < machine + hour);
    }
}
