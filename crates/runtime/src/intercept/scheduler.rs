//! Policies of scheduling, which only the host's root may choose otherwise.

use std::os::fd::AsFd;

use rustix::{
    fs::OFlags,
    io::Errno,
    process::{WaitId, WaitIdOptions, waitid},
    thread::{CapabilitySet, LinkNameSpaceType, move_into_link_name_space},
};
use sys::Fork;

use super::{
    caller::Caller,
    clerk::{Office, Outcome, Verdict, errno},
};

/// `sched_setscheduler(pid, policy, parameter)`, for who may do so inside (`CAP_SYS_NICE`).
pub(super) fn set(office: &Office<'_>, caller: &Caller) -> Outcome {
    let rights = caller.rights()?;
    if !rights.capabilities.contains(CapabilitySet::SYS_NICE) || !office.is_its_own(caller)? {
        return Ok(Verdict::Kernel);
    }
    let priority = caller.read(caller.argument(2), size_of::<i32>())?;
    let priority = i32::from_ne_bytes(priority.try_into().map_err(|_| Errno::FAULT)?);
    let (thread, policy) = (caller.int(0), caller.int(1));
    if thread == 0 {
        let done = sys::set_scheduler(caller.thread, policy, priority);
        return done.map(|()| Verdict::Done).map_err(|error| errno(&error));
    }
    among_its_processes(caller, || sys::set_scheduler(thread, policy, priority))
}

/// A number means a process to who is born among the caller's.
fn among_its_processes(caller: &Caller, set: impl FnOnce() -> std::io::Result<()>) -> Outcome {
    let processes = caller.open("ns/pid", OFlags::RDONLY)?;
    move_into_link_name_space(processes.as_fd(), Some(LinkNameSpaceType::ProcessID))?;
    let child = sys::fork(&Fork::default(), || match set() {
        Ok(()) => 0,
        Err(error) => errno(&error).raw_os_error(),
    })
    .map_err(|error| errno(&error))?;
    let status = waitid(WaitId::PidFd(child.pidfd.as_fd()), WaitIdOptions::EXITED)?;
    match status.and_then(|status| status.exit_status()) {
        Some(0) => Ok(Verdict::Done),
        Some(number) => Err(Errno::from_raw_os_error(number)),
        None => Err(Errno::IO),
    }
}
