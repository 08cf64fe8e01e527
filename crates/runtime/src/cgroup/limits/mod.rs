//! Limits as writes to files; pure but for [`Group::limit`].

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use spec::Limits;

use super::{Group, Layout};
use crate::error::{At, Error, Result};

/// The files of huge pages: of 64 KiB, 1 MiB, 2 MiB and 1 GiB.
const HUGE_PAGES: [[&str; 2]; 4] = [
    ["hugetlb.64KB.max", "hugetlb.64KB.limit_in_bytes"],
    ["hugetlb.1MB.max", "hugetlb.1MB.limit_in_bytes"],
    ["hugetlb.2MB.max", "hugetlb.2MB.limit_in_bytes"],
    ["hugetlb.1GB.max", "hugetlb.1GB.limit_in_bytes"],
];

/// One file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Write {
    /// In the instance's group of which hierarchy; `None`: the kernel has no such controller.
    pub(crate) root: Option<PathBuf>,
    pub(crate) file: &'static str,
    pub(crate) value: String,
    /// Was this limit asked for, or is it lifted?
    pub(crate) asked: bool,
}

/// What sets `limits`, in an order that works for raising and for lowering.
pub(crate) fn writes(layout: &Layout, limits: &Limits) -> Vec<Write> {
    let mut all = Vec::new();
    memory(layout, limits, &mut all);
    cpu(layout, limits, &mut all);
    let pids = limits.processes.map(|count| count.to_string());
    put(layout, &mut all, "pids", ["pids.max", "pids.max"], pids, ["max", "max"]);
    let weight = limits.disk_weight.map(|weight| weight.to_string());
    let controller = if layout.on_unified("io") { "io" } else { "blkio" };
    put(layout, &mut all, controller, ["io.weight", "blkio.bfq.weight"], weight, ["100", "100"]);
    for (files, bytes) in HUGE_PAGES.into_iter().zip(limits.hugepages) {
        let bytes = bytes.map(|bytes| bytes.to_string());
        put(layout, &mut all, "hugetlb", files, bytes, ["max", "-1"]);
    }
    all
}

/// Adds a write for whichever version has the controller: file names, value and default of version
/// 2 come first, of version 1 second. An empty name: that version has no such file.
fn put(
    layout: &Layout,
    all: &mut Vec<Write>,
    controller: &str,
    files: [&'static str; 2],
    value: Option<String>,
    defaults: [&str; 2],
) {
    let v1 = !layout.on_unified(controller);
    let file = files[usize::from(v1)];
    if file.is_empty() {
        return;
    }
    let hierarchy =
        if v1 { layout.v1(controller) } else { layout.unified.as_ref() }.map(|it| it.path.clone());
    let asked = value.is_some();
    let value = value.unwrap_or_else(|| defaults[usize::from(v1)].to_owned());
    all.push(Write { root: hierarchy, file, value, asked });
}

fn memory(layout: &Layout, limits: &Limits, all: &mut Vec<Write>) {
    let text = |bytes: Option<u64>| bytes.map(|bytes| bytes.to_string());
    let no_swap = limits.memory_swap == Some(false);
    let mut put = |files, value, defaults| put(layout, all, "memory", files, value, defaults);
    put(["memory.high", "memory.soft_limit_in_bytes"], text(limits.memory_soft), ["max", "-1"]);
    // Version 1: memory and swap together may never be below memory alone.
    put(["", "memory.memsw.limit_in_bytes"], None, ["", "-1"]);
    put(["memory.max", "memory.limit_in_bytes"], text(limits.memory), ["max", "-1"]);
    if let (true, Some(bytes)) = (no_swap, limits.memory) {
        put(["", "memory.memsw.limit_in_bytes"], Some(bytes.to_string()), ["", "-1"]);
    }
    let zero = no_swap.then(|| "0".to_owned());
    put(["memory.swap.max", "memory.swappiness"], zero, ["max", "60"]);
}

fn cpu(layout: &Layout, limits: &Limits, all: &mut Vec<Write>) {
    /// Period of the kernel where none is set, microseconds.
    const PERIOD: &str = "100000";
    let cpus = limits.cpus.clone().unwrap_or_default();
    let v1_weight = |weight: u32| (u64::from(weight) * 1024 / 100).max(2);
    if layout.on_unified("cpu") {
        let quota = cpus.quota.map(|(quota, period)| format!("{quota} {period}"));
        put(layout, all, "cpu", ["cpu.max", ""], quota, ["max 100000", ""]);
    } else {
        let mut part = |file, value: Option<u64>, default| {
            let value = value.map(|value| value.to_string());
            put(layout, all, "cpu", ["", file], value, ["", default]);
        };
        // A period may only change while there is no quota.
        part("cpu.cfs_quota_us", None, "-1");
        part("cpu.cfs_period_us", cpus.quota.map(|quota| quota.1), PERIOD);
        if let Some((quota, _)) = cpus.quota {
            part("cpu.cfs_quota_us", Some(quota), "-1");
        }
    }
    let weight = if layout.on_unified("cpu") {
        cpus.weight.map(|weight| weight.to_string())
    } else {
        cpus.weight.map(|weight| v1_weight(weight).to_string())
    };
    put(layout, all, "cpu", ["cpu.weight", "cpu.shares"], weight, ["100", "1024"]);
    // Lifted on version 1: what the group above has; `limit` reads that.
    put(layout, all, "cpuset", ["cpuset.cpus", "cpuset.cpus"], cpus.set, ["", ""]);
}

impl Group {
    /// Sets all limits of a group. In a `fresh` one only those asked for, and a missing controller
    /// is passed over (a Raspberry Pi boots without that of memory); returns what was.
    pub(crate) fn limit(&self, limits: &Limits, fresh: bool) -> Result<Vec<&'static str>> {
        let mut missing = Vec::new();
        for write in writes(&self.layout, limits) {
            if fresh && !write.asked {
                continue;
            }
            let path = write.root.as_ref().map(|root| root.join(&self.name).join(write.file));
            match path {
                Some(path) if path.exists() => self.write(&path, &write)?,
                _ if !write.asked => {}
                _ if fresh => missing.push(write.file),
                _ => return Err(Error::NoController { file: write.file.into() }),
            }
        }
        Ok(missing)
    }

    fn write(&self, path: &Path, write: &Write) -> Result<()> {
        let done = match (write.file, write.value.as_str()) {
            ("cpuset.cpus", "") => self.all_cpus(path),
            (_, value) => fs::write(path, value),
        };
        match done {
            // Some kernels have no swap accounting or fixed swappiness: only asked-for limits fail.
            Err(_) if !write.asked => Ok(()),
            result => result.at("write", path),
        }
    }

    /// Gives it the processors of the group above. An empty set says so on version 2, but some
    /// kernels (6.1) refuse that while processes are in the group, and version 1 knows no such thing.
    fn all_cpus(&self, path: &Path) -> io::Result<()> {
        let unified = self.layout.on_unified("cpuset");
        // The empty set is a line, not nothing.
        if unified && fs::write(path, "\n").is_ok() {
            return Ok(());
        }
        let file = if unified { "cpuset.cpus.effective" } else { "cpuset.cpus" };
        let above = path.ancestors().nth(2).map(|folder| folder.join(file)).unwrap_or_default();
        fs::write(path, fs::read_to_string(above)?)
    }
}

#[cfg(test)]
mod tests;
