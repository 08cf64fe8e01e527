//! A driver says what should exist; it never acts.

use crate::{Desired, Facts, Kind, NetworkSpec, Result, bridge};

/// The planning half of a kind of network.
pub trait Driver: Send + Sync {
    /// The kind's name on the wire.
    fn name(&self) -> &'static str;

    /// What should exist on this machine for the network. Pure.
    ///
    /// # Errors
    /// The specification cannot be met here, whatever is done.
    fn plan(&self, tag: &str, spec: &NetworkSpec, facts: &Facts) -> Result<Desired>;
}

/// Every driver.
pub const DRIVERS: &[&dyn Driver] = &[&bridge::Bridge];

/// The driver of a kind.
pub fn driver(kind: &Kind) -> &'static dyn Driver {
    match kind {
        Kind::Bridge(_) => &bridge::Bridge,
    }
}
