//! A child that does one call, among the container's processes and under its limits.

use std::{
    fs::File,
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    io::Errno,
    process::{Signal, WaitIdStatus, set_parent_process_death_signal},
};
use spec::InstanceSpec;
use sys::{Answer, Fork};

use super::{caller::Caller, mknod, mount, scheduler, xattr};
use crate::{
    cgroup::Group,
    error::{At, Result},
    seccomp::Kind,
};

/// The exit code that says: the kernel shall do it. Error numbers end before.
const KERNEL: i32 = 254;

/// What becomes of a call that could be done: nothing else is known of it than that it is done.
pub(super) type Outcome = std::result::Result<Verdict, Errno>;

/// Who does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is done.
    Done,
    /// The kernel shall, which refuses it most likely.
    Kernel,
}

/// What clerks know of the container.
pub(super) struct Office<'a> {
    pub(super) spec: &'a InstanceSpec,
    pub(super) group: &'a Group,
    /// Its first process.
    pub(super) init: (&'a OwnedFd, i32),
}

/// Starts one. In the container's control groups it opens no device that the container may not open.
pub(super) fn start(office: &Office<'_>, caller: &Caller, kind: Kind) -> Result<OwnedFd> {
    let leaf = office.group.open_exec()?;
    let how = Fork { cgroup: leaf.as_ref().map(File::as_fd), ..Fork::default() };
    let child = sys::fork(&how, || {
        let ready = set_parent_process_death_signal(Some(Signal::KILL)).is_ok()
            && office.group.join_v1().is_ok();
        if !ready {
            return libc::EIO;
        }
        match work(office, caller, kind) {
            Ok(Verdict::Done) => 0,
            Ok(Verdict::Kernel) => KERNEL,
            Err(error) => error.raw_os_error(),
        }
    });
    child.map(|child| child.pidfd).at("fork", "clerk")
}

fn work(office: &Office<'_>, caller: &Caller, kind: Kind) -> Outcome {
    match kind {
        Kind::Mknod => mknod::mknod(caller, libc::AT_FDCWD, 0),
        Kind::MknodAt => mknod::mknod(caller, caller.int(0), 1),
        Kind::SetXattr | Kind::SetXattrOfLink | Kind::SetXattrOfOpen => {
            xattr::set(office, caller, kind)
        }
        Kind::Mount => mount::mount(office, caller),
        Kind::SetScheduler => scheduler::set(office, caller),
        Kind::SysInfo | Kind::Bpf => Ok(Verdict::Kernel),
    }
}

/// What an ended clerk says.
pub(super) fn answer(status: &WaitIdStatus) -> Answer {
    match status.exit_status() {
        Some(0) => Answer::Done(0),
        Some(KERNEL) => Answer::Kernel,
        Some(number @ 1..=133) => Answer::Failed(number),
        _ => Answer::Failed(libc::EIO),
    }
}

impl Office<'_> {
    /// Whether the caller is in the container's own user namespace, and not in one made in it.
    pub(super) fn is_its_own(&self, caller: &Caller) -> std::result::Result<bool, Errno> {
        Ok(caller.namespace("user")? == super::caller::namespace_of(self.init.1, "user")?)
    }
}

/// For what needs a descriptor of a path.
pub(super) fn one(found: Vec<OwnedFd>) -> std::result::Result<OwnedFd, Errno> {
    found.into_iter().next().ok_or(Errno::IO)
}

/// The number of an error of the system.
pub(super) fn errno(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error)
}

/// The host's path to what a descriptor is.
pub(super) fn by_descriptor(descriptor: &impl AsFd) -> String {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", descriptor.as_fd().as_raw_fd())
}
