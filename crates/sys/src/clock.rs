//! The machine's clock.

use std::{io, time::Duration};

use crate::call::check;

/// Sets it to a time since 1970. The hardware's clock is not touched.
pub fn set_clock(now: Duration) -> io::Result<()> {
    let seconds = now.as_secs().try_into();
    let seconds = seconds.map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    // SAFETY: plain integers; all of it is zero first, as some machines have padding in it.
    let mut time: libc::timespec = unsafe { std::mem::zeroed() };
    time.tv_sec = seconds;
    time.tv_nsec = now.subsec_nanos().into();
    // SAFETY: `time` outlives the call.
    check(unsafe { libc::clock_settime(libc::CLOCK_REALTIME, &raw const time) }.into()).map(drop)
}
