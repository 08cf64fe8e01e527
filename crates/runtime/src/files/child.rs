//! The child of a monitor that serves the files of a container that runs.
//!
//! It joins the container's mounts and users and becomes its root, but not its process ids: nobody
//! inside sees it, and nothing of the monitor can be reached through it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::{
    fs::{Mode, OFlags, openat},
    process::{Signal, set_parent_process_death_signal, umask},
    thread::{ThreadNameSpaceType, move_into_thread_name_spaces},
};
use spec::InstanceSpec;
use sys::{Child, Fork};

use super::serve::serve;
use crate::{
    caps,
    container::become_root,
    error::{At, Result},
    protocol::packet,
};

/// Starts it; gives the daemon's end of its socket.
pub(crate) fn start(spec: &InstanceSpec, init: BorrowedFd) -> Result<(Child, OwnedFd)> {
    let (ours, theirs) = packet::pair()?;
    let mut ours = Some(ours);
    let child = sys::fork(&Fork::default(), || {
        // Held, it would never see the end of the other side.
        ours.take();
        match enter(spec, init, theirs.as_fd()).and_then(|root| serve(root, theirs.as_fd())) {
            Ok(()) => 0,
            Err(error) => {
                crate::monitor::log(format_args!("files: {error}"));
                1
            }
        }
    })
    .at("fork", "file server")?;
    let ours = ours.take().ok_or(crate::Error::Gone)?;
    Ok((child, ours))
}

fn enter(spec: &InstanceSpec, init: BorrowedFd, socket: BorrowedFd) -> Result<OwnedFd> {
    let mut joined = ThreadNameSpaceType::MOUNT;
    if !spec.privileged() {
        joined |= ThreadNameSpaceType::USER;
    }
    move_into_thread_name_spaces(init, joined).at("join", "namespaces")?;
    become_root()?;
    set_parent_process_death_signal(Some(Signal::KILL)).at("follow", "monitor")?;
    umask(Mode::empty());
    caps::give_up(caps::lacking(spec.privileged())).at("give up", "capabilities")?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = openat(rustix::fs::CWD, "/", flags, Mode::empty()).at("open", "/")?;
    // Those of the monitor's clients, its lock, its console: they would outlive it here.
    sys::close_others(&[std::io::stderr().as_fd(), root.as_fd(), socket]);
    Ok(root)
}
