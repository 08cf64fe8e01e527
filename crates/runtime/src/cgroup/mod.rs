//! Control groups of one instance, on version 2 and on the mix of both versions.
//!
//! ```text
//! <root>/microcloud.monitor/<tag>             all monitors of a daemon (version 2 only)
//! <root>/microcloud.payload/<tag>/<id>-<gen>  one instance; delegated to its root on version 2
//!                           └ .exec           programs run inside from outside: a leaf, because
//!                                             version 2 forbids processes beside controllers
//! ```
//!
//! Where the kernel has both versions, the container sees only version 2 and its limits are
//! enforced in the version 1 groups around it.

mod create;
mod devices;
mod freeze;
mod layout;
mod limits;
mod metrics;
mod remove;
mod usage;

use std::path::{Path, PathBuf};

use spec::InstanceSpec;

/// Whether instances can be held by a controller: its name of version 2, and of version 1.
pub fn has_controller(v2: &str, v1: &str) -> bool {
    Layout::detect().is_ok_and(|layout| layout.knows(v2, v1))
}

pub(crate) use create::monitor_group;
pub(crate) use layout::Layout;
pub use remove::forget;
pub use usage::Meter;

/// The control groups of one instance.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    layout: Layout,
    name: PathBuf,
    /// The host's id that may divide the group further.
    owner: u32,
}

impl Group {
    pub(crate) fn of(layout: &Layout, spec: &InstanceSpec) -> Group {
        Group { layout: layout.clone(), name: (&spec.cgroup).into(), owner: spec.root_id() }
    }

    pub(crate) fn unified(&self) -> Option<PathBuf> {
        Some(self.layout.unified.as_ref()?.path.join(&self.name))
    }

    /// The folder where a controller of version 1 counts this instance.
    fn v1(&self, controller: &str) -> Option<PathBuf> {
        Some(self.layout.v1(controller)?.path.join(&self.name))
    }

    /// Every folder, version 2 first.
    fn folders(&self) -> impl Iterator<Item = PathBuf> {
        self.layout.roots().map(|root: &Path| root.join(&self.name))
    }
}
