//! What every driver must do, run against each driver of [`crate::DRIVERS`] on the real thing.

use crate::testing::{Scratch, not_root};
use crate::{DRIVERS, Driver, DriverInfo};

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
    for driver in DRIVERS.iter().filter(|driver| is_chosen(**driver)) {
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

/// `LAWS_OF` names one driver where the others were tried elsewhere: in rigs, which are slow. One whose pools are on
/// other machines must be named: this machine may know of some that are no rig's.
pub(crate) fn is_chosen(driver: &dyn Driver) -> bool {
    let DriverInfo { name, remote, .. } = driver.info();
    std::env::var("LAWS_OF").map_or(!remote, |only| only == *name)
}

/// Runs a law that prepares its own pools with the driver of that name.
fn every_driver_named(name: &str, law: impl Fn(&'static dyn Driver)) {
    let Some(driver) = crate::driver(name) else { return };
    if !is_chosen(driver) {
        return eprintln!("SKIP: another driver's laws are tried");
    }
    if !not_root() {
        law(driver);
    }
}
