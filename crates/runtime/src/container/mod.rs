//! What makes a container: acts on a `Plan`. Everything here runs in the monitor or in a child it
//! forked; the monitor has one thread, so that forking is plain.
//!
//! ```text
//! monitor       spawn.rs   own mount namespace: root.rs, dev.rs, disks.rs
//!  ├ between    spawn.rs   new user namespace; makes the others; ends
//!  └ init       init.rs    mounts of its own, pivot_root; waits to be released; PID 1
//!  └ exec'd     exec.rs    joins all namespaces of init
//! ```

pub(crate) mod dev;
pub(crate) mod disks;
pub(crate) mod exec;
pub(crate) mod gate;
pub(crate) mod hotplug;
pub(crate) mod identity;
mod init;
pub(crate) mod mounts;
mod path;
mod root;
pub(crate) mod spawn;
pub(crate) mod terminal;

pub(crate) use identity::become_root;
