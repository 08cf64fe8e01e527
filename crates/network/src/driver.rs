//! A driver says what should exist; it never acts.

use crate::{Desired, Facts, Kind, Link, NetworkSpec, Result, bridge};

/// The planning half of a kind of network.
pub trait Driver: Send + Sync {
    /// The kind's name on the wire.
    fn name(&self) -> &'static str;

    /// What should exist on this machine for the network. Pure.
    ///
    /// # Errors
    /// The specification cannot be met here, whatever is done.
    fn plan(&self, tag: &str, spec: &NetworkSpec, facts: &Facts) -> Result<Desired>;

    /// What a network is known by on this machine: enough to remove it, even if its settings are no
    /// longer valid. Pure.
    fn identity(&self, tag: &str, spec: &NetworkSpec, facts: &Facts) -> Identity;
}

/// Where a network stands in the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its link.
    pub link: Link,
    /// Name of its table of rules, and comment of its rules elsewhere.
    pub table: String,
}

/// Every driver.
pub const DRIVERS: &[&dyn Driver] = &[&bridge::Bridge];

/// The driver of a kind.
pub fn driver(kind: &Kind) -> &'static dyn Driver {
    match kind {
        Kind::Bridge(_) => &bridge::Bridge,
    }
}
