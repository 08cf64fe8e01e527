//! What every driver must do, run against each driver of [`crate::DRIVERS`] on the real thing.

use crate::testing::{Scratch, not_root};
use crate::{DRIVERS, Driver};

mod clones;
mod pools;
mod power;
mod volumes;

/// Runs a law against a fresh pool of every driver.
fn every_driver(law: impl Fn(Scratch)) {
    if not_root() {
        return;
    }
    for driver in DRIVERS {
        if let Some(scratch) = Scratch::able(*driver) {
            eprintln!("driver {}", driver.info().name);
            law(scratch);
        }
    }
}

/// Runs a law that prepares its own pools with the driver of that name.
fn every_driver_named(name: &str, law: impl Fn(&'static dyn Driver)) {
    if !not_root() {
        DRIVERS.iter().filter(|driver| driver.info().name == name).for_each(|driver| law(*driver));
    }
}
