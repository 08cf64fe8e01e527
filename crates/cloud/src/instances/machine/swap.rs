//! Gives a running machine the disks and cards it has come to have, and takes those it has no more.
//!
//! The guest has to let go of what is taken, which one that hangs or boots never does: then it fails, and
//! what was there stays.

use std::collections::BTreeMap;

use options::device::{Device, Disk};
use storage::{Attached, Held, VolumeId};
use vm::Layout;

use super::{
    super::{guests::Guest, options::Typed},
    cards, kit, pci,
    power::{self, At},
    shares, tpm, usb,
};
use crate::{
    Error, Result, World,
    blocking::blocking,
    db::instances as rows,
    expand::Expanded,
    names,
    networks::port::Port,
    volumes::attach::{self, Plan},
};

/// One side of a change.
struct Side<'a> {
    disks: BTreeMap<&'a str, &'a Disk>,
    shares: BTreeMap<&'a str, Plan>,
    cards: BTreeMap<&'a str, Port<'a>>,
}

impl<'a> Side<'a> {
    fn of(world: &World, id: &str, typed: &'a Typed, expanded: &Expanded) -> Result<Side<'a>> {
        let disk = |(name, device): (&'a String, &'a Device)| {
            Some((name.as_str(), device.disk().filter(|disk| !kit::is_folder(disk))?))
        };
        Ok(Side {
            disks: typed.devices.iter().filter_map(disk).collect(),
            shares: shares::of(&typed.devices),
            cards: Port::all(&world.tag, id, &typed.devices, &expanded.config)?,
        })
    }
}

/// Makes the devices of a running machine those of `to`.
pub(crate) async fn swap(
    world: &World,
    guest: &Guest,
    (from, to): (&Expanded, &Expanded),
) -> Result<()> {
    let Some(qmp) = guest.qmp() else { return Ok(()) };
    let (project, name) = (guest.project(), guest.name());
    let id = names::instance_id(project, name);
    let (was, is) = (Typed::parse(from)?, Typed::parse(to)?);
    let (old, new) = (Side::of(world, &id, &was, from)?, Side::of(world, &id, &is, to)?);
    let Some(instance) = world.store.read(|db| Ok::<_, Error>(rows::get(db, project, name)?))?
    else {
        return Ok(());
    };
    let layout = Layout::default();
    let at = At { boot: None, layout: &layout };
    let fault = |device: &str, verb: &'static str, error: Error| Error::Device {
        device: device.to_owned(),
        verb,
        source: Box::new(error),
    };
    for (device, disk) in &old.disks {
        if !new.disks.get(device).is_some_and(|other| stays(disk, other)) {
            let removed = vm::remove_disk(qmp, device).await;
            removed.map_err(|error| fault(device, "removed", error.into()))?;
            attach::release(world, project, disk).await;
        }
    }
    for (device, plan) in &old.shares {
        if new.shares.get(device) != Some(plan) {
            let removed = shares::unplug(world, guest, qmp, device).await;
            removed.map_err(|error| fault(device, "removed", error))?;
        }
    }
    for (device, card) in &old.cards {
        if !new.cards.get(device).is_some_and(|other| other.same_links(card)) {
            let removed = vm::remove_card(qmp, device).await;
            removed.map_err(|error| fault(device, "removed", error.into()))?;
            card.unplug(world).await.map_err(|error| fault(device, "removed", error))?;
        }
    }
    for (device, disk) in &new.disks {
        let done = match old.disks.get(device) {
            Some(other) if kit::rates(other) == kit::rates(disk) && stays(other, disk) => continue,
            Some(other) if stays(other, disk) => {
                let (read, write) = kit::rates(disk);
                vm::set_rates(qmp, device, read, write).await.map_err(Error::from)
            }
            _ => power::plug_disk(world, qmp, &instance, device, disk, at).await,
        };
        done.map_err(|error| fault(device, "added", error))?;
    }
    for (device, plan) in &new.shares {
        if old.shares.get(device) != Some(plan) {
            let added = shares::plug(world, guest, qmp, (device, plan)).await;
            added.map_err(|error| fault(device, "added", error))?;
        }
    }
    for (device, card) in &new.cards {
        let added = match old.cards.get(device) {
            Some(other) if other == card => continue,
            Some(other) if other.same_links(card) => card.refilter(world).await,
            _ => {
                let named = is.options.agent_nic_config;
                cards::plug(world, guest, qmp, (device, card), named).await
            }
        };
        added.map_err(|error| fault(device, "added", error))?;
    }
    usb::set(world, guest, qmp, &is).await
}

/// Whether a disk is the same but for how much it may do. A root always is.
fn stays(old: &Disk, new: &Disk) -> bool {
    let unlimited = |disk: &Disk| Disk {
        limits_max: None,
        limits_read: None,
        limits_write: None,
        ..disk.clone()
    };
    (old.is_root() && new.is_root()) || unlimited(old) == unlimited(new)
}

/// Whether two machines have the same disks, folders left out, and of roots all but how much they may do; and the
/// same chip and devices of the server.
pub(crate) fn same_disks(before: &Typed, after: &Typed) -> bool {
    let disks = |typed: &'_ Typed| -> Vec<(String, Disk)> {
        let plain = |(name, device): (&String, &Device)| {
            Some((name.clone(), device.disk().filter(|disk| !kit::is_folder(disk))?.clone()))
        };
        typed.devices.iter().filter_map(plain).collect()
    };
    let (old, new) = (disks(before), disks(after));
    let same = |((name, disk), (other_name, other)): (&(String, Disk), &(String, Disk))| {
        name == other_name && stays(disk, other) && kit::rates(disk) == kit::rates(other)
    };
    tpm::stays(before, after).is_ok()
        && pci::stays(before, after).is_ok()
        && usb::same(before, after)
        && old.len() == new.len()
        && old.iter().zip(&new).all(same)
}

/// Lets a running machine see how large its root became; a container sees it by itself.
pub(crate) async fn grow_root(
    world: &World,
    guest: &Guest,
    typed: &Typed,
    root: VolumeId,
) -> Result<()> {
    let Some(qmp) = guest.qmp() else { return Ok(()) };
    let device = typed.devices.iter().find(|(_, it)| it.disk().is_some_and(Disk::is_root));
    let Some((name, _)) = device else { return Ok(()) };
    let pool = world.pools.open(world, typed.root_pool()?).await?;
    let measured = blocking("measure root", move || {
        let held = Held::volume(&*pool, &root)?;
        Ok::<_, Error>(match &held.attached {
            Attached::Block(disk) => Some(storage::disk_size(disk)?),
            _ => None,
        })
    });
    match measured.await? {
        Some(size) => Ok(vm::grow_disk(qmp, name, size).await?),
        None => Ok(()),
    }
}
