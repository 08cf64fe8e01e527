//! Starting the monitor of an instance.

use std::{
    fs::{self, File, OpenOptions},
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::{DirBuilderExt, OpenOptionsExt},
    },
    path::Path,
};

use rustix::{
    mount::{OpenTreeFlags, open_tree},
    process::{WaitId, WaitIdOptions, waitid},
};
use spec::InstanceSpec;
use sys::Detached;

use super::{handle::Monitor, socket::open_folder};
use crate::{
    Error, cgroup,
    error::{At, Result},
    plan,
    protocol::{Reply, packet},
};

/// An instance whose namespaces exist and whose PID 1 waits to be released.
#[derive(Debug)]
pub struct Created {
    /// Host's id of PID 1.
    pub pid: i32,
    /// Its network namespace: make the network devices in there, then release.
    pub netns: OwnedFd,
}

/// Starts a monitor: `binary`, whose first argument is the role `monitor`, which has to end up in
/// [`crate::monitor_main`]. Returns once init exists with its namespaces.
///
/// Safe to be called from a process with threads, but it blocks for some milliseconds.
pub fn spawn(binary: &Path, spec: &InstanceSpec) -> Result<(Monitor, Created)> {
    plan::check(spec)?;
    let mut folders = fs::DirBuilder::new();
    folders.recursive(true).mode(0o700);
    folders.create(&spec.run_dir).at("create", &spec.run_dir)?;
    folders.create(&spec.log_dir).at("create", &spec.log_dir)?;
    let folder = open_folder(&spec.run_dir).at("open", &spec.run_dir)?;
    let log_path = spec.log_dir.join("monitor.log");
    let mut log = OpenOptions::new();
    let log = log.append(true).create(true).mode(0o600).open(&log_path).at("open", &log_path)?;
    let null =
        OpenOptions::new().read(true).write(true).open("/dev/null").at("open", "/dev/null")?;
    let spec_file = packet::memory_file(&serde_json::to_vec(spec)?).at("write", "specification")?;
    let group = cgroup::monitor_group(&spec.cgroup)?;
    let (ours, theirs) = packet::pair()?;
    let child = sys::spawn_detached(&Detached {
        file: executable(binary)?.as_fd(),
        argv: &["microcloud", "monitor", &spec.id],
        descriptors: &[null.as_fd(), null.as_fd(), log.as_fd(), spec_file.as_fd(), theirs.as_fd()],
        cgroup: group.as_ref().map(File::as_fd),
    })
    .at("start", binary)?;
    drop(theirs);
    let created = packet::recv(ours.as_fd());
    // It has forked into the real monitor, so that it is no child of ours.
    waitid(WaitId::PidFd(child.pidfd.as_fd()), WaitIdOptions::EXITED).at("wait for", "monitor")?;
    match created? {
        None => Err(Error::Gone),
        Some((Reply::Created { pid }, fds)) => {
            let netns = fds.into_iter().next().ok_or(Error::Unsupported)?;
            Ok((Monitor::at(folder), Created { pid, netns }))
        }
        Some((Reply::Failed { fault }, _)) => Err(fault.into()),
        Some(_) => Err(Error::Unsupported),
    }
}

/// The binary, on a read-only mount of its own: a privileged container that finds the monitor's
/// `/proc/<pid>/exe` cannot overwrite it.
pub(crate) fn executable(binary: &Path) -> Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let mount = open_tree(rustix::fs::CWD, binary, flags).at("open", binary)?;
    sys::set_readonly_mount(mount.as_fd()).at("protect", binary)?;
    Ok(mount)
}
