//! The clock of deadlines, which counts from the machine's boot and while it sleeps, so that nobody sets it.

use std::os::fd::OwnedFd;

use rustix::{
    io,
    time::{
        ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec,
        clock_gettime, timerfd_create, timerfd_settime,
    },
};

/// Milliseconds since the machine was booted.
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    let part = |number: i64, unit: u64| u64::try_from(number).unwrap_or(0) * unit;
    part(time.tv_sec, 1000) + part(time.tv_nsec, 1) / 1_000_000
}

/// What is readable from a moment on: at once after a sleep of the machine in which it came.
pub(crate) fn timer(at: u64) -> io::Result<OwnedFd> {
    let timer = timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC)?;
    let (none, at) = (Timespec { tv_sec: 0, tv_nsec: 0 }, at.max(1));
    let (seconds, rest) = (at / 1000, at % 1000 * 1_000_000);
    let moment = Timespec {
        tv_sec: i64::try_from(seconds).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(rest).unwrap_or(0),
    };
    let time = Itimerspec { it_interval: none, it_value: moment };
    timerfd_settime(&timer, TimerfdTimerFlags::ABSTIME, &time)?;
    Ok(timer)
}
