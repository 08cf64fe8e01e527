//! A clock that jumps (`lab/tests/faults`): this daemon's is as many seconds ahead of the machine's as the file says that
//! `MICROCLOUD_CLOCK` names, from its start on. Nothing in it, or no such file: it is right.

use std::{path::PathBuf, thread, time::Duration};

/// How soon it jumps.
const LOOK: Duration = Duration::from_millis(20);

/// Has the clock follow the file that the environment names.
pub(crate) fn follow() {
    let Some(file) = std::env::var_os("MICROCLOUD_CLOCK").map(PathBuf::from) else { return };
    let look = move || {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        clock::set_ahead(text.trim().parse().unwrap_or(0));
    };
    look();
    thread::spawn(move || {
        loop {
            thread::sleep(LOOK);
            look();
        }
    });
}
