//! The way from a QEMU that was executed to a machine's first instruction, and finding it again.

use std::{fs::File, os::fd::OwnedFd, time::Duration};

use options::device::Device;
use vm::{Accel, Call, Card, Disk, Layout, Manner, QMP_SOCKET, Qmp};

use super::{
    super::{boot::Starting, exit, guests::Guest, options::Typed},
    drive, kit, memory, pci,
    processors::Processors,
    shares, tpm, usb, vsock,
};
use crate::{
    Error, Result, World,
    db::instances::{self as rows, Instance},
    expand::expand,
    names,
    networks::{hosts, port::Port},
    volumes::attach,
};

/// How long QEMU may take until it listens: it reads its program and firmware, perhaps from a slow card.
pub(super) const LISTENING: Duration = Duration::from_secs(60);
/// One that ran all the while listens, unless it hangs. That must not hold up the others for long.
const STILL_LISTENING: Duration = Duration::from_secs(5);
/// How often is looked whether a socket is there.
pub(super) const LOOK: Duration = Duration::from_millis(2);
/// How long a QEMU that closed its socket may take to end.
const ENDING: Duration = Duration::from_secs(2);
/// How much of QEMU's last words go into an error.
const WORDS: usize = 600;

/// Plugs the disks and cards of a machine whose QEMU was just executed, and lets it run; one that goes on with
/// its memory reads it, and stands still; one that comes from another server waits.
pub(crate) async fn power_on(starting: &Starting<'_>, guest: &Guest) -> Result<()> {
    let world = starting.world;
    match furnish(starting, guest).await {
        Err(error) if tells_of_end(&error) => {
            // Its socket closes before its last words are in the log. If it lives after all, they help no less.
            let _ = tokio::time::timeout(ENDING, exit::await_end(guest)).await;
            Err(last_words(world, guest).await)
        }
        done => done,
    }
}

/// Whether QEMU went away under a call.
fn tells_of_end(error: &Error) -> bool {
    match error {
        Error::Machine(vm::Error::Gone) => true,
        Error::Device { source, .. } => tells_of_end(source),
        _ => false,
    }
}

async fn furnish(starting: &Starting<'_>, guest: &Guest) -> Result<()> {
    let Starting { world, instance, expanded, arrives, .. } = *starting;
    let typed = Typed::parse(expanded)?;
    let connected = async {
        tpm::connect(world, guest).await?;
        connect(world, guest, LISTENING).await
    };
    let connected = async {
        tokio::select! {
            qmp = connected => qmp,
            _ = exit::await_end(guest) => Err(last_words(world, guest).await),
        }
    };
    // Written while QEMU comes up.
    let discs = async {
        let mut discs = Vec::new();
        for (name, kind) in drive::unasked(instance, &typed) {
            discs.push((name, drive::disc(world, instance, kind).await?));
        }
        Ok(discs)
    };
    let (qmp, discs) = tokio::try_join!(connected, discs)?;
    let frame = match arrives {
        Some(frame) => frame.clone(),
        None if instance.stateful => memory::Places::of(world, instance)
            .await?
            .frame()
            .map_err(memory::unreadable(instance))?,
        None => memory::Frame::default(),
    };
    let layout = &frame.layout;
    let order = kit::boot_order(&typed.devices);
    for (name, device) in &typed.devices {
        let Device::Disk(disk) = device else { continue };
        if kit::is_folder(disk) {
            continue;
        }
        let at = At { boot: order.get(name.as_str()).copied(), layout };
        let plugged = match frame.disks.get(name).filter(|_| starting.beside.is_some()) {
            Some(size) => plug_late(world, &qmp, instance, (name, disk), (at, *size)).await,
            None => plug_disk(world, &qmp, instance, name, disk, at).await,
        };
        plugged.map_err(|error| of_device(name, error))?;
    }
    for (name, folder) in shares::of(&typed.devices) {
        let plugged = shares::plug(world, guest, &qmp, (name, &folder)).await;
        plugged.map_err(|error| of_device(name, error))?;
    }
    for (name, disc) in discs {
        plug(&qmp, name, disc, Manner::default(), At { boot: None, layout }).await?;
    }
    let id = names::instance_id(guest.project(), guest.name());
    let cards = Port::all(&world.tag, &id, &typed.devices, &expanded.config)?;
    if !cards.is_empty() {
        hosts::tell_of(world, guest.project(), guest.name())?;
    }
    for (name, port) in &cards {
        let at = At { boot: order.get(name).copied(), layout };
        plug_card(world, &qmp, name, port, at).await.map_err(|error| of_device(name, error))?;
    }
    let goes_on = arrives.is_some() || instance.stateful;
    let may_go = typed.options.migration_stateful;
    vsock::plug(world, &qmp, &id, (goes_on, may_go), layout).await?;
    pci::plug(world, guest, &qmp).await?;
    usb::set(world, guest, &qmp, &typed).await?;
    if let Some(count) = layout.processors {
        vm::set_processors(&qmp, count).await?;
    }
    let processors = Processors::of(world, (guest.project(), guest.name()), &typed);
    processors.pin(guest, &qmp, false).await?;
    if arrives.is_some() {
        // Its memory is on its way still.
    } else if instance.stateful {
        memory::load(world, &qmp, instance).await?;
    } else {
        memory::drop_saved(world, instance).await?;
        // What is plugged before the first instruction is found by the firmware after a reset only.
        qmp.run(vec![Call::new("system_reset"), Call::new("cont")]).await?;
    }
    guest.set_qmp(qmp);
    match (arrives, instance.stateful) {
        // Attended to once it goes on here.
        (Some(_), _) => {}
        (None, true) => super::agent::attend_again(world, guest),
        (None, false) => super::agent::attend(world, guest),
    }
    Ok(())
}

/// Where a disk or a card goes.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    /// The lower, the earlier the firmware tries to boot from it.
    pub(crate) boot: Option<u32>,
    /// Where it was, if it is to be there again.
    pub(crate) layout: &'a Layout,
}

/// Plugs a disk; one that is not there and need not be is left out.
pub(crate) async fn plug_disk(
    world: &World,
    qmp: &Qmp,
    instance: &Instance,
    name: &str,
    disk: &options::device::Disk,
    at: At<'_>,
) -> Result<()> {
    match kit::open(world, instance, disk).await? {
        Some(opened) => {
            let plugged = plug(qmp, name, opened, kit::manner(disk), at).await;
            if plugged.is_err() {
                attach::release(world, &instance.project, disk).await;
            }
            plugged
        }
        None => Ok(()),
    }
}

/// Plugs a disk that another member has still: what is behind it comes later ([`put_behind`]).
async fn plug_late(
    world: &World,
    qmp: &Qmp,
    instance: &Instance,
    (name, disk): (&str, &options::device::Disk),
    (At { boot, layout }, size): (At<'_>, u64),
) -> Result<()> {
    let medium = kit::medium(world, instance, disk)?;
    let (readonly, manner) = (disk.readonly || medium == vm::Medium::Disc, kit::manner(disk));
    let late = vm::Late { name, size, medium, readonly, manner, boot, layout };
    Ok(vm::add_late(qmp, late).await?)
}

/// Puts behind a disk what another member is done with.
pub(crate) async fn put_behind(
    world: &World,
    qmp: &Qmp,
    instance: &Instance,
    (name, disk): (&str, &options::device::Disk),
) -> Result<()> {
    let kit::Opened { file, device, readonly, .. } =
        kit::take_over(world, instance, disk).await.map_err(|error| of_device(name, error))?;
    let cache = kit::manner(disk).cache;
    Ok(vm::put_behind(qmp, name, (file, device), (readonly, cache)).await?)
}

async fn plug(
    qmp: &Qmp,
    name: &str,
    opened: kit::Opened,
    manner: Manner,
    at: At<'_>,
) -> Result<()> {
    let kit::Opened { file, device, medium, readonly } = opened;
    let At { boot, layout } = at;
    let disk = Disk { name, file, device, medium, readonly, manner, boot, layout };
    Ok(vm::add_disk(qmp, disk).await?)
}

/// Makes a card's tap and plugs it.
pub(crate) async fn plug_card(
    world: &World,
    qmp: &Qmp,
    name: &str,
    port: &Port<'_>,
    at: At<'_>,
) -> Result<()> {
    let (tap, mtu) = port.tap(world).await?;
    let hwaddr = port.hwaddr().to_string();
    let At { boot, layout } = at;
    let vhost = vhost_net(world);
    Ok(vm::add_card(qmp, Card { name, tap, vhost, hwaddr: &hwaddr, mtu, boot, layout }).await?)
}

/// What has the kernel move a card's packets, where it does. Without KVM QEMU is in the way of each anyway.
fn vhost_net(world: &World) -> Option<OwnedFd> {
    let open = || File::options().read(true).write(true).open("/dev/vhost-net").ok();
    (world.host.accel == Accel::Kvm).then(open).flatten().map(OwnedFd::from)
}

/// The connection with a machine's QEMU, whether or not this daemon has one yet.
pub(crate) async fn reach(
    world: &World,
    project: &str,
    name: &str,
    patience: Duration,
) -> Result<Qmp> {
    if let Some(qmp) = world.guests.get(project, name).and_then(|guest| guest.qmp().cloned()) {
        return Ok(qmp);
    }
    let io = world.dirs.machine(&names::instance_id(project, name)).join("io");
    Ok(Qmp::connect(&io, QMP_SOCKET, patience).await?)
}

async fn connect(world: &World, guest: &Guest, patience: Duration) -> Result<Qmp> {
    let id = names::instance_id(guest.project(), guest.name());
    let io = world.dirs.machine(&id).join("io");
    Ok(Qmp::connect(&io, QMP_SOCKET, patience).await?)
}

/// Connects again with a machine that ran while no daemon did. False if it never came to its first
/// instruction: the daemon that was to see to it died.
pub(crate) async fn find_again(world: &World, guest: &Guest) -> Result<bool> {
    let qmp = match connect(world, guest, STILL_LISTENING).await {
        Ok(qmp) => qmp,
        Err(error) => {
            // It is held all the same, and can be stopped by force.
            tracing::error!(name = guest.name(), error = %tasks::chain(&error), "QEMU");
            return Ok(true);
        }
    };
    let status = qmp.call(Call::new("query-status")).await?;
    guest.set_qmp(qmp);
    let known = world.store.read(|db| {
        let row = rows::get(db, guest.project(), guest.name())?;
        row.map(|row| expand(db, &row)).transpose()
    })?;
    if let Some(known) = known {
        let typed = Typed::parse(&known)?;
        *guest.usb() = usb::of(&typed.devices);
        let all = shares::of(&typed.devices).into_iter();
        guest
            .shares()
            .extend(all.map(|(name, plan)| (name.to_owned(), shares::share(name, &plan))));
        if status["status"] == "running"
            && let Err(error) = super::limits::settle(world, guest, &known).await
        {
            tracing::warn!(name = guest.name(), error = %tasks::chain(&error), "its size");
        }
    }
    super::agent::attend_again(world, guest);
    Ok(status["status"] != "prelaunch")
}

pub(super) fn of_device(device: &str, source: Error) -> Error {
    Error::Device { device: device.to_owned(), verb: "added", source: Box::new(source) }
}

/// Why QEMU ended before the machine ran: it says so on its console.
async fn last_words(world: &World, guest: &Guest) -> Error {
    let id = names::instance_id(guest.project(), guest.name());
    let log = tokio::fs::read(world.dirs.log(&id).join("console.log")).await.unwrap_or_default();
    let said = String::from_utf8_lossy(&log[log.len().saturating_sub(WORDS)..]).trim().to_owned();
    Error::NoMachine { name: guest.name().to_owned(), said }
}
