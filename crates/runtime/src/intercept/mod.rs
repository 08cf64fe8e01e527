//! System calls of a container that the kernel would refuse it, done in its stead.
//!
//! ```text
//! a program calls ── its filter asks (seccomp user notification) ──> serve.rs, a child of the monitor
//! caller.rs   who calls, as /proc says: memory, ids, capabilities, namespaces
//! clerk.rs    a child for each call that touches files or processes; its exit code is the answer
//! visit.rs    a child of that which becomes the caller, to look up paths with the caller's rights
//! mknod.rs xattr.rs mount.rs scheduler.rs      what clerks do
//! sysinfo.rs bpf.rs                            what needs no clerk
//! ```
//! What is looked at is copied first: the caller, or a thread beside it, may change its memory at any moment. So
//! nothing is decided by what is read and left to the kernel then, but what the kernel decides by itself anyway.
//! Paths are walked by a process with the caller's rights and view; what that finds is handed over as a descriptor.
//!
//! It outlives the daemon and ends with the monitor. If it ended before, those calls would fail as unknown (ENOSYS).

mod bpf;
mod caller;
mod clerk;
mod mknod;
mod mount;
mod scheduler;
mod serve;
mod sysinfo;
mod visit;
mod xattr;

use std::os::fd::{AsFd, OwnedFd};

use rustix::{
    process::{Signal, WaitId, WaitIdOptions, set_parent_process_death_signal, waitid},
    thread::set_name,
};
use spec::InstanceSpec;
use sys::Fork;

use crate::{
    cgroup::Group,
    container::spawn::Spawned,
    error::{At, Result},
    protocol::packet,
};

/// The monitor's hold of it.
pub(crate) struct Interceptor {
    pub(crate) pidfd: OwnedFd,
    socket: OwnedFd,
}

/// Starts it, if any call is asked about.
pub(crate) fn start(
    spec: &InstanceSpec,
    group: &Group,
    spawned: &Spawned,
) -> Result<Option<Interceptor>> {
    if !spec.seccomp.intercept.any() {
        return Ok(None);
    }
    let (ours, theirs) = packet::pair()?;
    let mut ours = Some(ours);
    let child = sys::fork(&Fork::default(), || {
        ours.take();
        match enter(spec, group, spawned, theirs).and_then(serve::Server::serve) {
            Ok(()) => 0,
            Err(error) => {
                crate::monitor::log(format_args!("intercept: {error}"));
                1
            }
        }
    })
    .at("fork", "interceptor")?;
    let socket = ours.take().ok_or(crate::Error::Gone)?;
    Ok(Some(Interceptor { pidfd: child.pidfd, socket }))
}

fn enter(
    spec: &InstanceSpec,
    group: &Group,
    spawned: &Spawned,
    socket: OwnedFd,
) -> Result<serve::Server> {
    set_parent_process_death_signal(Some(Signal::KILL)).at("follow", "monitor")?;
    let _ = set_name(c"microcloud-sys");
    spawned.go_home()?;
    let init = spawned.pidfd.try_clone().at("keep", "init")?;
    // Those of the monitor's clients, its lock, its console: they would outlive it here.
    sys::close_others(&[std::io::stderr().as_fd(), init.as_fd(), socket.as_fd()]);
    serve::Server::new(spec, group, (init, spawned.pid), socket)
}

impl Interceptor {
    /// Answers what is asked here from now on.
    pub(crate) fn listen(&self, asking: &[OwnedFd]) {
        let asking: Vec<_> = asking.iter().map(AsFd::as_fd).collect();
        // One that is gone closes what it is given, and the calls fail.
        let _ = packet::send(self.socket.as_fd(), &(), &asking, true);
    }

    /// What it holds of the instance is about to be taken away.
    pub(crate) fn end(&self) {
        // One that is gone cannot be killed: fine.
        let _ = sys::signal_process(self.pidfd.as_fd(), libc::SIGKILL);
        let _ = waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED);
    }
}
