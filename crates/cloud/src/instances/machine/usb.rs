//! USB devices of the server that a machine has: those that are plugged in and fit, as they come and go.
//!
//! ```text
//! start, another device, every two seconds ── settle: those that fit, less those that QEMU has ── plug, unplug
//! ```
//! One that is `required` must be there when the machine starts or gets it. A device is one machine's: who comes
//! first has it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use options::device::{Device, Usb};
use tasks::{Reconciler, Report};
use vm::{Qmp, host::UsbDevice};

use super::super::{
    guests::{Guest, Phase},
    options::Typed,
};
use crate::{Error, Result, World, blocking::blocking, names};

/// The kernel tells of them where nobody without udev hears it.
const LOOK: Duration = Duration::from_secs(2);

/// Those of a machine, by their devices.
pub(super) fn of(devices: &BTreeMap<String, Device>) -> BTreeMap<String, Usb> {
    let usb = |(name, device): (&String, &Device)| match device {
        Device::Usb(usb) => Some((name.clone(), usb.clone())),
        _ => None,
    };
    devices.iter().filter_map(usb).collect()
}

/// Whether two machines have the same.
pub(super) fn same(old: &Typed, new: &Typed) -> bool {
    of(&old.devices) == of(&new.devices)
}

/// Gives a machine those of its devices, and takes those it has no more. What is not required may be missing.
pub(super) async fn set(world: &World, guest: &Guest, qmp: &Qmp, typed: &Typed) -> Result<()> {
    let devices = of(&typed.devices);
    if devices.is_empty() && guest.usb().is_empty() {
        return Ok(());
    }
    *guest.usb() = devices.clone();
    for (device, usb) in devices.iter().filter(|(_, usb)| usb.required) {
        let (tree, usb) = (world.host.devices.clone(), usb.clone());
        let found = blocking("look for USB devices", move || {
            tree.required_usb(&usb).map_err(vm::Error::from)
        });
        let taken = async { not_taken(world, guest, &found.await?).await };
        taken.await.map_err(|error| super::power::of_device(device, error))?;
    }
    let mut refused = BTreeMap::new();
    settle(world, guest, qmp, &mut refused).await?;
    let required = |device: &String| devices.get(device).is_some_and(|usb| usb.required);
    match refused.into_values().find(|(device, _)| required(device)) {
        Some((device, error)) => Err(super::power::of_device(&device, error)),
        None => Ok(()),
    }
}

/// What a machine could not be given, by QEMU's name for it: its device, and why.
type Refused = BTreeMap<String, (String, Error)>;

/// Makes a machine have those that are plugged in and fit; those that were refused are left alone.
async fn settle(world: &World, guest: &Guest, qmp: &Qmp, refused: &mut Refused) -> Result<()> {
    let (tree, devices) = (world.host.devices.clone(), guest.usb().clone());
    let found = blocking("look for USB devices", move || {
        let all = devices.iter().flat_map(|(device, usb)| {
            let found = tree.usb(usb).into_iter();
            found.map(move |one| (vm::usb_id(device, &one), (device.clone(), one)))
        });
        Ok::<_, Error>(all.collect::<BTreeMap<_, _>>())
    });
    let (found, there) = (found.await?, vm::usb_there(qmp).await?);
    for gone in there.iter().filter(|id| !found.contains_key(*id)) {
        tracing::info!(name = guest.name(), id = gone, "a USB device is gone");
        vm::remove_usb(qmp, gone).await?;
    }
    refused.retain(|id, _| found.contains_key(id));
    for (id, (device, one)) in found {
        if there.contains(&id) || refused.contains_key(&id) {
            continue;
        }
        match plug(world, guest, qmp, (&id, &one)).await {
            Ok(()) => tracing::info!(name = guest.name(), id, "a USB device came"),
            Err(error) => {
                tracing::warn!(
                    name = guest.name(),
                    id,
                    error = tasks::chain(&error),
                    "a USB device"
                );
                refused.insert(id, (device, error));
            }
        }
    }
    Ok(())
}

async fn plug(
    world: &World,
    guest: &Guest,
    qmp: &Qmp,
    (id, one): (&str, &UsbDevice),
) -> Result<()> {
    not_taken(world, guest, one).await?;
    let (tree, one) = (world.host.devices.clone(), one.clone());
    let file = blocking("open USB device", move || tree.open_usb(&one).map_err(vm::Error::from));
    Ok(vm::add_usb(qmp, id, file.await?).await?)
}

/// Fails where another machine has it.
async fn not_taken(world: &World, guest: &Guest, one: &UsbDevice) -> Result<()> {
    let place = vm::usb_place(one);
    for other in world.guests.all() {
        let own = (other.project(), other.name()) == (guest.project(), guest.name());
        let Some(qmp) = other.qmp().filter(|_| !own && !other.usb().is_empty()) else { continue };
        // A machine that just ended has none.
        let there = vm::usb_there(qmp).await.unwrap_or_default();
        if there.iter().any(|id| id.starts_with(&place)) {
            let by = format!("instance \"{}\" of project \"{}\"", other.name(), other.project());
            let name = format!("{}-{}", one.bus, one.number);
            return Err(Error::InUse { what: "USB device", name, by });
        }
    }
    Ok(())
}

/// Follows what is plugged into the server and pulled out of it, while machines run that want some of it.
#[derive(Default)]
pub struct PluggedIn {
    /// By the machine's id. They are not asked for again until they were pulled out.
    refused: BTreeMap<String, Refused>,
}

#[async_trait::async_trait]
impl Reconciler<World> for PluggedIn {
    fn name(&self) -> &'static str {
        "USB devices of virtual machines"
    }

    fn topics(&self) -> &'static [&'static str] {
        &[]
    }

    fn period(&self) -> Duration {
        LOOK
    }

    async fn activate(&mut self, world: &Arc<World>) -> Report {
        let mut report = Report::default();
        let mut running = BTreeSet::new();
        for guest in world.guests.all() {
            if guest.phase() != Phase::Running || guest.usb().is_empty() {
                continue;
            }
            let Some(qmp) = guest.qmp() else { continue };
            let id = names::instance_id(guest.project(), guest.name());
            // Nobody gives it other devices meanwhile; whoever does will look, too.
            let Ok(_turn) = guest.ports().try_lock() else { continue };
            let refused = self.refused.entry(id.clone()).or_default();
            if let Err(error) = settle(world, &guest, qmp, refused).await {
                report.fail(Arc::new(error));
            }
            running.insert(id);
        }
        self.refused.retain(|id, _| running.contains(id));
        report
    }
}
