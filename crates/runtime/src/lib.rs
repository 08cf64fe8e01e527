//! System containers, and the monitor that holds one.
//!
//! The daemon resolves what it wants into a `spec::InstanceSpec` and calls [`spawn`]. That starts
//! the monitor: a small process of its own, a re-execution of the same binary that has to end up in
//! [`monitor_main`]. It outlives the daemon, which finds it again with [`Monitor::connect`].
//!
//! ```text
//! spawn ──> Created ── release() ──> Running <── freeze() ──> Frozen
//!              └─── kill() ───┬─────────┴──────────────────────┘
//!                             v
//!           Stopped: exit file, groups removed, event to every Watch, the monitor ends
//! ```
//!
//! Sync, and free of tokio: everything here may be called from a blocking thread. The store, options
//! and network devices are the daemon's; between `spawn` and `release` it puts devices into
//! [`Created::netns`].

pub mod apparmor;
pub mod caps;
mod cgroup;
mod client;
mod confine;
mod container;
pub mod deadline;
pub mod devfilter;
mod error;
pub mod files;
pub mod idmap;
mod intercept;
pub mod lxcfs;
mod metrics;
mod monitor;
mod plan;
mod protocol;
mod proxy;
pub mod seccomp;
mod types;

pub use cgroup::{Meter, forget as forget_groups, has_controller};
pub use client::{Created, Exec, Monitor, Watch, cleanup, cleanup_spec, last_exit, spawn};
pub use error::{Error, Result};
pub use spec::DiskTraffic;

pub use metrics::{CpuTime, FileSystem, MemoryUse, Metrics, Traffic, metrics};
pub use monitor::monitor_main;
pub use proxy::{
    end_all as end_proxies, end_proxy, proxies, proxy_main, running_proxy, spawn_proxy,
};
pub use types::{Console, Event, ExecIo, ExecSpec, ExitReason, Info, State, Stdio, Usage};
