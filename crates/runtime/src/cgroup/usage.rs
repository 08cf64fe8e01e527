//! What an instance uses.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::Group;
use crate::Usage;

impl Group {
    /// Reads the counters; one that the kernel does not keep is `None`.
    pub(crate) fn usage(&self) -> Usage {
        let memory = self.first("memory", "memory.current", "memory.usage_in_bytes");
        let with_swap = self.v1("memory").and_then(|it| number(&it, "memory.memsw.usage_in_bytes"));
        let swap = match self.unified() {
            Some(unified) if self.layout.on_unified("memory") => {
                number(&unified, "memory.swap.current")
            }
            _ => with_swap.zip(memory).map(|(both, memory)| both.saturating_sub(memory)),
        };
        Usage {
            memory,
            memory_peak: self.first("memory", "memory.peak", "memory.max_usage_in_bytes"),
            swap,
            cpu_ns: self.cpu_ns(),
            processes: self.first("pids", "pids.current", "pids.current"),
        }
    }

    /// Did the kernel kill here for want of memory?
    pub(crate) fn oom_killed(&self) -> bool {
        let (folder, file) = if self.layout.on_unified("memory") {
            (self.unified(), "memory.events")
        } else {
            (self.v1("memory"), "memory.oom_control")
        };
        folder.and_then(|it| field(&it.join(file), "oom_kill")).is_some_and(|count| count > 0)
    }

    fn cpu_ns(&self) -> Option<u64> {
        if let Some(folder) = self.v1("cpuacct") {
            return number(&folder, "cpuacct.usage");
        }
        // Version 2 counts processor time in every group, whatever its controllers.
        field(&self.unified()?.join("cpu.stat"), "usage_usec").map(|micros| micros * 1000)
    }

    pub(super) fn first(&self, controller: &str, v2: &str, v1: &str) -> Option<u64> {
        if self.layout.on_unified(controller) {
            number(&self.unified()?, v2)
        } else {
            number(&self.v1(controller)?, v1)
        }
    }
}

pub(super) fn number(folder: &Path, file: &str) -> Option<u64> {
    fs::read_to_string(folder.join(file)).ok()?.trim().parse().ok()
}

/// The value behind a name in a file of lines `name value`.
pub(super) fn field(path: &PathBuf, name: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.lines().find_map(|line| {
        let (key, value) = line.split_once(' ')?;
        if key == name { value.trim().parse().ok() } else { None }
    })
}
