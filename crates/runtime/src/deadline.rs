//! The clock of deadlines, which counts from the machine's boot and while it sleeps, so that nobody sets it.

use rustix::time::{ClockId, clock_gettime};

/// Milliseconds since the machine was booted.
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    let part = |number: i64, unit: u64| u64::try_from(number).unwrap_or(0) * unit;
    part(time.tv_sec, 1000) + part(time.tv_nsec, 1) / 1_000_000
}
