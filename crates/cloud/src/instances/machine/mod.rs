//! Virtual machines: what of an instance's life is theirs alone. All else they share with containers.
//!
//! ```text
//! spec.rs   options and devices -> QEMU's arguments and what it sees, run by a monitor
//! power.rs  QEMU waits ── disks and cards are plugged ── its first instruction
//! agent.rs  the program in the guest that runs others and reaches its files; vsock.rs  a quicker way to it
//! drive.rs  what brings the agent into the guest
//! memory.rs what a machine was doing, kept on disk
//! screen.rs what a viewer of its screen is connected with
//! shares.rs folders of the host; tpm.rs  a chip that keeps secrets; beside.rs  the programs for both
//! pci.rs    devices of the server that it has for itself, from its start on; usb.rs  those that come and go
//! limits.rs its memory and processors while it runs; processors.rs  which of the host's
//! trouble.rs what keeps one that runs from going on
//! threads.rs QEMU's threads as the host counts them
//! kit.rs    which disks; swap.rs  those that come and go while it runs
//! ```
//! The monitor's container holds nothing but QEMU, which the daemon talks with over QMP. A daemon that
//! comes later finds both again.

pub(crate) mod agent;
mod beside;
mod cards;
mod drive;
mod kit;
pub(crate) mod limits;
pub(crate) mod memory;
mod pci;
mod power;
mod processors;
pub(crate) mod screen;
mod shares;
pub(crate) mod spec;
pub(crate) mod state;
mod swap;
pub(crate) mod threads;
mod tpm;
pub(crate) mod trouble;
mod usb;
mod vsock;

pub use self::usb::PluggedIn;
pub(crate) use self::{
    kit::volume_of,
    pci::release,
    power::{find_again, power_on, put_behind, reach},
    swap::{grow_root, same_disks, swap},
};

use std::{collections::BTreeMap, path::Path};

use options::device::{Device, Disk, DiskSource};

use super::{Kind, guests::Guest, options::Typed};
use crate::{Error, Host, Result, World, expand::Expanded};

/// Fails when a virtual machine cannot be what its options say, or cannot run here.
pub(crate) fn check(kind: Kind, host: &Host, typed: &Typed) -> Result<()> {
    if kind == Kind::Container {
        return Ok(());
    }
    let program = format!("qemu-system-{}", host.architecture);
    if !exec::installed(&program) {
        let package = if host.architecture == "aarch64" { "arm" } else { "x86" };
        let why = format!(
            "virtual-machine: {program} is not installed here: install Debian's package \
             qemu-system-{package}"
        );
        return Err(Error::invalid("instance type", why));
    }
    if tpm::of(&typed.devices).is_some() {
        vm::tpm_command()?;
    }
    for (name, device) in &typed.devices {
        let Device::Disk(disk) = device else { continue };
        if kit::is_folder(disk) {
            vm::Virtiofsd::find()?;
            if disk.path.is_none() {
                let why =
                    format!("device \"{name}\": path: it is missing: where the folder is mounted");
                return Err(Error::invalid("devices", why));
            }
        }
    }
    Ok(())
}

/// Fails when a container is to have what only a machine can, or a machine what it cannot.
pub(crate) fn check_devices(kind: Kind, typed: &Typed) -> Result<()> {
    if kind == Kind::VirtualMachine {
        if let Some((name, _)) = typed.devices.iter().find(|(_, device)| is_of_containers(device)) {
            let why = format!(
                "device \"{name}\": only containers can have one: a virtual machine has a kernel of its own. It can \
                 have disks, pci, gpu and usb"
            );
            return Err(Error::invalid("devices", why));
        }
        return tpm::check(&typed.devices);
    }
    for (name, device) in &typed.devices {
        if matches!(device, Device::Tpm(_)) {
            let why = match Path::new(VTPM).exists() {
                true => "only virtual machines can have a TPM yet",
                false => {
                    "only virtual machines can have a TPM here: a container's needs the kernel's module \
                     tpm_vtpm_proxy, whose /dev/vtpmx is missing (and is not supported yet)"
                }
            };
            return Err(Error::invalid("devices", format!("device \"{name}\": {why}")));
        }
        if matches!(device, Device::Pci(_)) {
            let why = format!(
                "device \"{name}\": only virtual machines can have one: a container has the server's drivers, and \
                 what they make of it (gpu, usb, unix-char, unix-block, nic)"
            );
            return Err(Error::invalid("devices", why));
        }
        if let Device::Disk(disk) = device
            && let Some(DiskSource::Drive(_)) = disk.origin()
        {
            let source = disk.source.as_deref().unwrap_or_default();
            let why = format!("device \"{name}\": {source} is for virtual machines");
            return Err(Error::invalid("devices", why));
        }
    }
    Ok(())
}

/// Fails when what a machine has from its start on is to come or go while it runs.
pub(crate) fn check_swap(before: &Expanded, after: &Expanded) -> Result<()> {
    let (before, after) = (Typed::parse(before)?, Typed::parse(after)?);
    tpm::stays(&before, &after).and_then(|()| pci::stays(&before, &after))
}

/// Whether it is a device of the server that a machine has for itself.
fn is_of_host(device: &Device) -> bool {
    matches!(device, Device::Pci(_) | Device::Gpu(_) | Device::Usb(_))
}

/// Whether it is a node, which means nothing to a kernel of its own.
fn is_of_containers(device: &Device) -> bool {
    matches!(device, Device::Unix(_) | Device::Hotplug(_))
}

/// Fails where what the machine does is in a device of the server, too, which nobody can ask what that is.
pub(crate) fn check_memory(typed: &Typed) -> Result<()> {
    match typed.devices.iter().find(|(_, device)| is_of_host(device)) {
        None => Ok(()),
        Some((name, _)) => {
            let why = format!(
                "device \"{name}\" is a device of this server: the memory of a machine that has one cannot be kept, \
                 nor go elsewhere. Remove it first"
            );
            Err(Error::invalid("stateful", why))
        }
    }
}

/// The device of a machine's only disk; fails where it has others, which do not come along to another server while it
/// runs.
pub(crate) fn only_disk(typed: &Typed) -> Result<String> {
    let mut root = None;
    for (name, device) in &typed.devices {
        let Device::Disk(disk) = device else { continue };
        match disk.origin() {
            Some(DiskSource::Root { .. }) => root = Some(name.clone()),
            Some(DiskSource::Drive(_)) | None => {}
            Some(_) => {
                let why = format!(
                    "device \"{name}\" is of this server: only the root disk goes along while the machine \
                     runs. Remove it, or stop the machine first"
                );
                return Err(Error::invalid("migration", why));
            }
        }
    }
    root.ok_or_else(|| Error::invalid("migration", "the machine has no root disk"))
}

/// The disks of a machine that are all in pools that members share; fails where one is not, or where what the machine has
/// besides them is held by a member.
pub(crate) fn shared_disks(db: &store::Read<'_>, typed: &Typed) -> Result<BTreeMap<String, Disk>> {
    let no = |name: &str, what: &str| {
        let why = format!("device \"{name}\" is {what}. Remove it, or stop the machine first");
        Err(Error::invalid("migration", why))
    };
    let pools = crate::cluster::lease::shared(db)?;
    let mut found = BTreeMap::new();
    for (name, device) in &typed.devices {
        match device {
            Device::Tpm(_) => return no(name, "a TPM, whose memory stays with the disk"),
            Device::Disk(disk) => match disk.origin() {
                Some(DiskSource::Drive(_)) | None => {}
                Some(DiskSource::Root { pool } | DiskSource::Volume { pool, .. })
                    if pools.contains(pool) && !kit::is_folder(disk) =>
                {
                    found.insert(name.clone(), (**disk).clone());
                }
                Some(_) => return no(name, "on this member alone, or a folder of it"),
            },
            _ => {}
        }
    }
    Ok(found)
}

/// Where the kernel makes TPMs for containers.
const VTPM: &str = "/dev/vtpmx";

/// What is said of a machine whose QEMU the daemon could not reach again.
pub(crate) fn silent(guest: &Guest) -> Error {
    Error::State {
        name: guest.name().to_owned(),
        is: "a virtual machine that does not answer",
        hint: "stop it with --force",
    }
}

/// What a machine has if nobody says otherwise, as LXD has it: 1 GiB.
const USUAL_MEMORY: u64 = 1 << 30;

/// The bytes of memory of a machine.
fn memory_of(world: &World, typed: &Typed) -> u64 {
    let memory = typed.options.limits.memory;
    memory.map_or(USUAL_MEMORY, |it| it.bytes(world.host.memory)).next_multiple_of(1 << 20)
}
