//! Waiting with an end.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Long enough for anything that is not a boot of a distribution.
pub const SHORT: Duration = Duration::from_secs(15);

/// What `look` finds, as soon as it finds it; fails with `what` when it takes longer than [`SHORT`].
#[track_caller]
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(SHORT, what, look)
}

/// The same with a time of one's own.
#[track_caller]
pub fn within<T>(time: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + time;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "{what}: not within {time:?}");
        thread::sleep(Duration::from_millis(20));
    }
}
