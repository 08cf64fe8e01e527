//! Halting a group, and killing it.

use std::{
    fs,
    io::ErrorKind,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    process::{Pid, Signal, kill_process},
};

use super::{Group, usage::field};
use crate::error::{At, Result};

/// A process in an uninterruptible wait can hold up freezing; then it is undone.
const PATIENCE: Duration = Duration::from_secs(10);

impl Group {
    /// Freezes or thaws, and waits until that is so.
    pub(crate) fn freeze(&self, on: bool) -> Result<()> {
        self.ask_freeze(on)?;
        let deadline = Instant::now() + PATIENCE;
        while self.frozen() != Some(on) {
            if Instant::now() > deadline {
                let _ = self.ask_freeze(!on);
                return Err(Errno::TIMEDOUT).at("freeze", &self.name);
            }
            sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Kills everything in it and below. Also what is frozen.
    pub(crate) fn kill(&self) -> Result<()> {
        let Some(folder) = self.unified() else { return self.kill_v1() };
        let file = folder.join("cgroup.kill");
        match fs::write(&file, "1") {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                each_process(&folder, &mut kill);
                Ok(())
            }
            result => result.at("write", &file),
        }
    }

    fn kill_v1(&self) -> Result<()> {
        let _ = self.ask_freeze(false);
        if let Some(folder) = self.v1("freezer").or_else(|| self.folders().next()) {
            each_process(&folder, &mut kill);
        }
        Ok(())
    }

    fn ask_freeze(&self, on: bool) -> Result<()> {
        let (file, word) = match (self.unified(), self.v1("freezer")) {
            (Some(unified), _) => (unified.join("cgroup.freeze"), if on { "1" } else { "0" }),
            (None, Some(v1)) => (v1.join("freezer.state"), if on { "FROZEN" } else { "THAWED" }),
            (None, None) => return Err(Errno::NOTSUP).at("freeze", &self.name),
        };
        fs::write(&file, word).at("write", &file)
    }

    fn frozen(&self) -> Option<bool> {
        match self.unified() {
            Some(unified) => field(&unified.join("cgroup.events"), "frozen").map(|it| it == 1),
            None => {
                let state = fs::read_to_string(self.v1("freezer")?.join("freezer.state")).ok()?;
                Some(state.trim() == "FROZEN")
            }
        }
    }
}

fn kill(pid: Pid) {
    let _ = kill_process(pid, Signal::KILL);
}

/// Every process of a group and of those below.
fn each_process(folder: &Path, act: &mut impl FnMut(Pid)) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            each_process(&entry.path(), act);
        }
    }
    let procs = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    procs.lines().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).for_each(act);
}
