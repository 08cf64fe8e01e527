//! What every driver must do, run against each driver of [`crate::DRIVERS`] on the real thing.

use crate::testing::{Scratch, not_root};
use crate::{DRIVERS, Driver};

mod clones;
mod pools;
mod power;
mod streams;
mod volumes;

/// Runs a law against a fresh pool of every driver.
fn every_driver(law: impl Fn(Scratch)) {
    if not_root() {
        return;
    }
    let mut tried = 0;
    for driver in DRIVERS.iter().filter(|driver| is_chosen(driver.info().name)) {
        let name = driver.info().name;
        if let Some(why) = driver.unable() {
            eprintln!("without {name}: {why}");
            continue;
        }
        eprintln!("driver {name}");
        law(Scratch::new(*driver));
        tried += 1;
    }
    if tried == 0 {
        eprintln!("SKIP: no driver can be used here");
    }
}

/// `LAWS_OF` names one driver where the others were tried elsewhere: in rigs, which are slow.
fn is_chosen(name: &str) -> bool {
    std::env::var("LAWS_OF").map_or(true, |only| only == name)
}

/// Runs a law that prepares its own pools with the driver of that name.
fn every_driver_named(name: &str, law: impl Fn(&'static dyn Driver)) {
    if !is_chosen(name) {
        return eprintln!("SKIP: another driver's laws are tried");
    }
    if !not_root() {
        DRIVERS.iter().filter(|driver| driver.info().name == name).for_each(|driver| law(*driver));
    }
}
