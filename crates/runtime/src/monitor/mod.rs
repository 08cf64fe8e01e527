//! The process that holds one instance.
//!
//! ```text
//! mod.rs        takes the specification, forks away from the daemon
//! start.rs      folder locked, groups made, init spawned, socket opened: Created
//! serve.rs      one loop over all descriptors, until PID 1 ended
//! requests.rs   one answer a request       release.rs  init's way to PID 1
//! console.rs    ring and attached clients  jobs.rs     programs run inside
//! teardown.rs   exit file, groups, event   files.rs    children that serve its files
//! ```
//!
//! One thread, no locks, few allocations. It holds the lock of the instance's folder from its first
//! step to its last, so a next start waits until the last one is cleaned up.

mod connections;
mod console;
mod files;
mod hotplug;
mod jobs;
mod release;
mod requests;
mod serve;
mod start;
mod teardown;

use std::{
    ffi::OsString,
    fmt,
    io::{self, Write},
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    process::{DumpableBehavior, set_dumpable_behavior},
    thread::set_name,
};
use spec::InstanceSpec;

use crate::{
    error::{At, Fault, Result},
    protocol::{Reply, packet},
};

/// The role `monitor` of the binary: returns its exit code. To be called before anything else is
/// done in `main`: no thread may run, no descriptor be open. The arguments (the instance's id) are
/// only for people who list processes.
pub fn monitor_main(_arguments: impl Iterator<Item = OsString>) -> i32 {
    match detach() {
        Ok(()) => 0,
        Err(error) => {
            log(format_args!("{}", Chain(&error)));
            1
        }
    }
}

/// Forks, so that the monitor is nobody's child and the daemon has nothing to reap.
fn detach() -> Result<()> {
    let [spec, daemon] = sys::take_inherited().at("take", "specification")?;
    let _ = set_name(c"microcloud-mon");
    // A container that finds it in its /proc shall not trace it.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).at("hide", "monitor")?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let spec = serde_json::from_slice(&packet::read_file(spec).at("read", "specification")?)?;
    sys::fork(&sys::Fork::default(), || run(&spec, daemon)).at("fork", "monitor").map(drop)
}

fn run(spec: &InstanceSpec, daemon: OwnedFd) -> i32 {
    let result = start::start(spec, &daemon).and_then(|instance| {
        drop(daemon);
        instance.serve()
    });
    match result {
        Ok(()) => 0,
        Err(error) => {
            log(format_args!("{}", Chain(&error)));
            1
        }
    }
}

/// Tells the daemon why there will be no instance.
pub(crate) fn refuse(daemon: &OwnedFd, error: &crate::Error) {
    let fault = Fault::from(error);
    let _ = packet::send(daemon.as_fd(), &Reply::Failed { fault }, &[], false);
}

/// One line into `monitor.log`.
pub(crate) fn log(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// An error with its sources.
pub(crate) struct Chain<'a>(pub(crate) &'a dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(out, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
