//! What an instance uses.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use spec::InstanceSpec;

use super::{Group, Layout};
use crate::{Result, Usage};

/// As much as is read of a file; the counters stand in its first lines.
const ENOUGH: usize = 1024;

/// The counters of an instance's control groups, held open: to be read again and again at the price of a few reads. Holds
/// up nobody who removes the groups; what is read then is `None`.
#[derive(Debug)]
pub struct Meter {
    memory: Option<File>,
    memory_peak: Option<File>,
    swap: Option<File>,
    /// `swap` counts the memory as well, as version 1 does.
    with_memory: bool,
    cpu: Option<File>,
    processes: Option<File>,
}

impl Meter {
    /// Opens the counters that the kernel keeps of an instance that runs.
    ///
    /// # Errors
    /// When the hierarchies cannot be found.
    pub fn open(spec: &InstanceSpec) -> Result<Meter> {
        Ok(Meter::of(&Group::of(&Layout::detect()?, spec)))
    }

    fn of(group: &Group) -> Meter {
        let unified = group.layout.on_unified("memory");
        let v1 = |controller: &str, file: &str| open(&group.v1(controller)?, file);
        let swap = match group.unified().filter(|_| unified) {
            Some(folder) => open(&folder, "memory.swap.current"),
            None => v1("memory", "memory.memsw.usage_in_bytes"),
        };
        // Version 2 counts processor time in every group, whatever its controllers.
        let cpu = v1("cpuacct", "cpuacct.usage");
        let cpu = cpu.or_else(|| open(&group.unified()?, "cpu.stat"));
        Meter {
            memory: group.counter("memory", "memory.current", "memory.usage_in_bytes"),
            memory_peak: group.counter("memory", "memory.peak", "memory.max_usage_in_bytes"),
            swap,
            with_memory: !unified,
            cpu,
            processes: group.counter("pids", "pids.current", "pids.current"),
        }
    }

    /// Reads the counters; one that the kernel does not keep is `None`.
    pub fn read(&self) -> Usage {
        let memory = value(self.memory.as_ref());
        let swap = value(self.swap.as_ref());
        let without = || swap.zip(memory).map(|(both, memory)| both.saturating_sub(memory));
        Usage {
            memory,
            memory_peak: value(self.memory_peak.as_ref()),
            swap: if self.with_memory { without() } else { swap },
            cpu_ns: self.cpu.as_ref().and_then(processor_time),
            processes: value(self.processes.as_ref()),
        }
    }
}

/// The file's number, or that of `usage_usec`, in nanoseconds.
fn processor_time(file: &File) -> Option<u64> {
    let mut room = [0; ENOUGH];
    let text = text(file, &mut room)?;
    match text.trim().parse() {
        Ok(number) => Some(number),
        Err(_) => named(text, "usage_usec").map(|micros| micros.saturating_mul(1000)),
    }
}

fn value(file: Option<&File>) -> Option<u64> {
    let mut room = [0; ENOUGH];
    text(file?, &mut room)?.trim().parse().ok()
}

fn text<'a>(file: &File, room: &'a mut [u8; ENOUGH]) -> Option<&'a str> {
    let length = file.read_at(room, 0).ok()?;
    // Where it was cut, a letter of two bytes may have been, too; these files have none.
    std::str::from_utf8(room.get(..length)?).ok()
}

fn open(folder: &Path, file: &str) -> Option<File> {
    File::open(folder.join(file)).ok()
}

impl Group {
    /// Reads the counters once.
    pub(crate) fn usage(&self) -> Usage {
        Meter::of(self).read()
    }

    fn counter(&self, controller: &str, v2: &str, v1: &str) -> Option<File> {
        if self.layout.on_unified(controller) {
            open(&self.unified()?, v2)
        } else {
            open(&self.v1(controller)?, v1)
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
    named(&fs::read_to_string(path).ok()?, name)
}

fn named(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(' ')?;
        if key == name { value.trim().parse().ok() } else { None }
    })
}
