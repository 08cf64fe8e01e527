//! Removing groups, the lowest first.

use std::{
    fs,
    io::{self, ErrorKind},
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use super::{Group, Layout};
use crate::error::{At, Result};

/// Killed processes leave their group a moment later.
const PATIENCE: Duration = Duration::from_secs(3);

impl Group {
    /// Removes all groups and what the container made below; goes on after an error and returns
    /// the first.
    pub(crate) fn remove(&self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut result = Ok(());
        for folder in self.folders() {
            let removed = remove(&folder, deadline).at("remove control group", &folder);
            result = result.and(removed);
        }
        result
    }
}

fn remove(folder: &Path, deadline: Instant) -> io::Result<()> {
    loop {
        match fs::remove_dir(folder) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(error) if error.kind() == ErrorKind::ResourceBusy => {}
            Err(error) => return Err(error),
        }
        if !remove_below(folder, deadline)? {
            sleep(Duration::from_millis(1));
        }
    }
}

/// Removes the groups below; false if there were none.
fn remove_below(folder: &Path, deadline: Instant) -> io::Result<bool> {
    let mut any = false;
    for entry in fs::read_dir(folder)?.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            any = true;
            remove(&entry.path(), deadline)?;
        }
    }
    Ok(any)
}

/// Removes the groups that a daemon's instances were in, as far as none is left; for the end of a
/// daemon, when it starts nothing more.
pub fn forget(tag: &str) {
    let Ok(layout) = Layout::detect() else { return };
    for root in layout.roots() {
        for kind in ["microcloud.payload", "microcloud.monitor"] {
            let all = root.join(kind);
            // What is not empty, or was never there, stays as it is.
            let _ = fs::remove_dir(all.join(tag)).and_then(|()| fs::remove_dir(&all));
        }
    }
}
