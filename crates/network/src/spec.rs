//! What the caller wants: plain typed data, parsed once at the door.

use std::path::PathBuf;

use crate::bridge::BridgeSpec;

/// A network of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkSpec {
    /// The network's name; with the plane's tag it names what stands in the kernel.
    pub name: String,
    /// The kernel's name of the link, unique on this machine; usually the network's.
    pub link: String,
    /// What kind, with its settings.
    pub kind: Kind,
    /// The network's own folder, for its leases.
    pub state_dir: PathBuf,
}

/// One variant a driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A bridge that this machine makes and serves.
    Bridge(BridgeSpec),
}
