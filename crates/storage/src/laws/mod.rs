//! What every driver must do, run against each driver of [`crate::DRIVERS`] on the real thing.

use crate::DRIVERS;
use crate::testing::{Scratch, not_root};

mod clones;
mod pools;
mod volumes;

/// Runs a law against a fresh pool of every driver.
fn every_driver(law: impl Fn(Scratch)) {
    if not_root() {
        return;
    }
    for driver in DRIVERS {
        law(Scratch::new(*driver));
    }
}
