//! What runs: the specification a monitor is given.
//!
//! The daemon resolves options and devices into one [`InstanceSpec`] and hands it to
//! `runtime::spawn`. A monitor outlives upgrades of the daemon, so everything here is versioned and
//! read leniently: a field that is not there takes its default, one that is not known is skipped.
//! No behaviour lives here, only data and small constructors; and what is counted of an instance, whatever runs it.

mod instance;
mod intercept;
mod limits;
mod process;
mod proxy;
mod root;
mod traffic;

pub use instance::{InstanceSpec, Seccomp};
pub use intercept::{Intercept, InterceptMount};
pub use limits::{CpuLimit, Limits};
pub use process::{Process, Rlimit};
pub use proxy::{End, ProxySpec, SocketOwner};
pub use root::{DeviceKind, DeviceNode, IdMap, MappedIds, Mount, MountFlags, Root};
pub use traffic::DiskTraffic;

/// The version of the specification this build writes.
pub const VERSION: u32 = 1;
