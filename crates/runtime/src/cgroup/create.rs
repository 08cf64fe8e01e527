//! Making groups, and giving them to the container's root.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    os::unix::fs::chown,
    path::{Path, PathBuf},
};

use super::{Group, Layout};
use crate::error::{At, Result};

/// Files of a delegated group, as the kernel lists them in `/sys/kernel/cgroup/delegate`. Never
/// those that set limits.
const DELEGATED: [&str; 6] = [
    "",
    "cgroup.procs",
    "cgroup.threads",
    "cgroup.subtree_control",
    "memory.oom.group",
    "memory.reclaim",
];

/// Where programs go that are run inside from outside.
const EXEC: &str = ".exec";

impl Group {
    /// Makes the groups; the caller then sets limits and puts processes in.
    pub(crate) fn create(&self) -> Result<()> {
        if let (Some(unified), Some(folder)) = (&self.layout.unified, self.unified()) {
            enable_controllers(&unified.path, &self.name);
            make(&folder).at("create control group", &folder)?;
            self.delegate(&folder).at("delegate control group", &folder)?;
        }
        for hierarchy in &self.layout.v1 {
            let folder = hierarchy.path.join(&self.name);
            make(&folder).at("create control group", &folder)?;
            if hierarchy.has("cpuset") {
                inherit_cpuset(&hierarchy.path, &self.name).at("prepare cpuset", &folder)?;
            }
            if hierarchy.has("name=systemd") {
                self.delegate(&folder).at("delegate control group", &folder)?;
            }
        }
        Ok(())
    }

    /// The group a process can be born in (version 2).
    pub(crate) fn open(&self) -> Result<Option<File>> {
        self.unified().map(|folder| File::open(&folder).at("open", &folder)).transpose()
    }

    /// The same for programs that are run inside; made when first asked for.
    pub(crate) fn open_exec(&self) -> Result<Option<File>> {
        let Some(folder) = self.unified().map(|folder| folder.join(EXEC)) else {
            return Ok(None);
        };
        match fs::create_dir(&folder) {
            Ok(()) => self.delegate(&folder).at("delegate control group", &folder)?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).at("create control group", &folder),
        }
        File::open(&folder).map(Some).at("open", &folder)
    }

    /// Puts the calling process, of one thread and still root on the host, into the groups of version 1.
    /// Moving another process, or a whole one, would wait some 10 ms for the kernel (an RCU grace
    /// period); a thread that moves itself does not (`cgroup_procs_write_start`, since Linux 5.5).
    pub(crate) fn join_v1(&self) -> Result<()> {
        for hierarchy in &self.layout.v1 {
            let file = hierarchy.path.join(&self.name).join("tasks");
            fs::write(&file, "0").at("write", &file)?;
        }
        Ok(())
    }

    fn delegate(&self, folder: &Path) -> io::Result<()> {
        if self.owner == 0 {
            return Ok(());
        }
        for file in DELEGATED {
            match chown(folder.join(file), Some(self.owner), Some(self.owner)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The group that the monitors of a daemon share, so that a restart of the daemon's service does
/// not take them along; `None` without version 2.
pub(crate) fn monitor_group(payload: &str) -> Result<Option<File>> {
    let Some(unified) = Layout::detect()?.unified else { return Ok(None) };
    let mut name = PathBuf::from("microcloud.monitor");
    name.extend(Path::new(payload).parent().and_then(Path::file_name));
    let folder = unified.path.join(name);
    make(&folder).at("create control group", &folder)?;
    File::open(&folder).map(Some).at("open", &folder)
}

fn make(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => fs::create_dir_all(folder),
        result => result,
    }
}

/// Passes every controller down to the last group but one. What cannot be passed (a daemon inside
/// a container) shows when a limit has no file.
fn enable_controllers(root: &Path, name: &Path) {
    let mut folder = root.to_owned();
    let mut parts = name.components();
    parts.next_back();
    for part in [None].into_iter().chain(parts.map(Some)) {
        folder.extend(part);
        let _ = make(&folder);
        let read = |file| fs::read_to_string(folder.join(file)).unwrap_or_default();
        let enabled = read("cgroup.subtree_control");
        for controller in read("cgroup.controllers").split_whitespace() {
            if !enabled.split_whitespace().any(|name| name == controller) {
                let _ = fs::write(folder.join("cgroup.subtree_control"), format!("+{controller}"));
            }
        }
    }
}

/// New cpuset groups of version 1 are empty and refuse processes: copy from above.
fn inherit_cpuset(root: &Path, name: &Path) -> io::Result<()> {
    let mut folder = root.to_owned();
    for part in name.components() {
        let above = folder.clone();
        folder.push(part);
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if fs::read_to_string(folder.join(file))?.trim().is_empty() {
                fs::write(folder.join(file), fs::read(above.join(file))?)?;
            }
        }
    }
    Ok(())
}
