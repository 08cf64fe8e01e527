//! A machine's TPM 2: `swtpm`, which runs beside QEMU (`vm::tpm_command`). What it remembers is beside the disk, so
//! that snapshots, copies and backups have it as they have the firmware's variables.
//!
//! ```text
//! QEMU waits at a socket ── the daemon connects, and starts swtpm with the connection ── QEMU makes the machine
//! ```
//! The chip of a device stays when the device goes: with it go the keys of whoever sealed a disk with it.

use std::{collections::BTreeMap, time::Instant};

use options::device::Device;
use tokio::time::sleep;

use super::{
    super::{guests::Guest, options::Typed},
    beside::Beside,
    power,
};
use crate::{Error, Result, World, names};

/// The device that is one.
pub(super) fn of(devices: &BTreeMap<String, Device>) -> Option<&str> {
    devices.iter().find(|(_, device)| matches!(device, Device::Tpm(_))).map(|(name, _)| &**name)
}

/// Fails when the chip of a machine that runs is to come or go: its board is made with it.
pub(super) fn stays(old: &Typed, new: &Typed) -> Result<()> {
    let (before, after) = (of(&old.devices), of(&new.devices));
    match after.filter(|_| before != after).or(before.filter(|_| after.is_none())) {
        None => Ok(()),
        Some(device) => {
            let why = "a TPM cannot come or go while the machine runs: stop it first";
            Err(Error::invalid("devices", format!("device \"{device}\": {why}")))
        }
    }
}

/// Fails when a machine has more than one.
pub(super) fn check(devices: &BTreeMap<String, Device>) -> Result<()> {
    let mut all = devices.iter().filter(|(_, device)| matches!(device, Device::Tpm(_)));
    match all.nth(1) {
        None => Ok(()),
        Some((name, _)) => {
            let why = format!("device \"{name}\": a virtual machine can have one TPM");
            Err(Error::invalid("devices", why))
        }
    }
}

/// Connects a machine with its chip; QEMU waits for it before all else.
pub(super) async fn connect(world: &World, guest: &Guest) -> Result<()> {
    if !vm::has_tpm(&guest.spec().process.argv) {
        return Ok(());
    }
    let id = names::instance_id(guest.project(), guest.name());
    let io = world.dirs.machine(&id).join("io");
    let end = Instant::now() + power::LISTENING;
    let stream = loop {
        let opened = vm::open_socket(&io, vm::TPM_SOCKET).await;
        match opened.map_err(Error::file("open", &io.join(vm::TPM_SOCKET)))? {
            Some(stream) => break stream,
            None if Instant::now() < end => sleep(power::LOOK).await,
            None => {
                let (command, patience) = ("connect", power::LISTENING);
                return Err(vm::Error::Silent { command, patience }.into());
            }
        }
    };
    // The program waits when it reads.
    let stream = stream.into_std().and_then(|it| it.set_nonblocking(false).map(|()| it));
    let stream = stream.map_err(Error::file("open", &io.join(vm::TPM_SOCKET)))?;
    let command = ("swtpm", vm::tpm_command()?);
    Beside::start(world, guest, command, "tpm.log", Some(stream.into())).await.map(drop)
}
