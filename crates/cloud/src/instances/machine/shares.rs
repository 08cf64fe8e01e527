//! Folders of this host in a machine: disk devices whose source is a folder, or a volume of files.
//!
//! ```text
//! plug:  mount into QEMU's container ── virtiofsd beside QEMU ── device ── the guest's agent mounts it
//! ```
//! Owners are the host's: what is root's there is root's in the guest. A guest without an agent mounts it by its
//! tag itself.

use std::{collections::BTreeMap, time::Duration};

use agent::{Agent, Share};
use options::device::Device;
use tokio::time::{sleep, timeout};
use vm::{Qmp, Virtiofsd};

use super::{super::guests::Guest, beside::Beside, kit, power::LOOK};
use crate::{
    Error, Result, World,
    blocking::blocking,
    disk::absent_is_done,
    names,
    volumes::attach::{Plan, plans},
};

const PROGRAM: &str = "virtiofsd";
/// How long `virtiofsd` may take until it listens.
const LISTENING: Duration = Duration::from_secs(20);

/// The folders among the devices of a machine, and what each is in it.
pub(super) fn of(devices: &BTreeMap<String, Device>) -> BTreeMap<&str, Plan> {
    let is_folder =
        |name: &str| devices.get(name).and_then(Device::disk).is_some_and(kit::is_folder);
    plans(devices).into_iter().filter(|(name, _)| is_folder(name)).collect()
}

/// What the guest is told of one.
pub(super) fn share(device: &str, plan: &Plan) -> Share {
    let path = plan.mount.target.clone();
    Share { tag: vm::share_tag(device), path, readonly: plan.mount.readonly }
}

/// Gives a machine a folder; one that is not there and need not be is left out.
pub(super) async fn plug(
    world: &World,
    guest: &Guest,
    qmp: &Qmp,
    (device, plan): (&str, &Plan),
) -> Result<()> {
    let mount = plan.resolve(world, guest.project()).await?;
    if mount.optional && !tokio::fs::try_exists(&mount.source).await.unwrap_or(false) {
        return Ok(());
    }
    let place = vm::share_place(device);
    let mount = spec::Mount { target: place.clone(), shift: true, ..mount };
    let held = guest.clone();
    blocking("mount folder", move || held.monitor().add_mount(&mount)).await?;
    if let Err(error) = serve(world, guest, qmp, (device, plan.threads)).await {
        let held = guest.clone();
        blocking("unmount folder", move || held.monitor().remove_mount(&place)).await?;
        return Err(error);
    }
    let share = share(device, plan);
    guest.shares().insert(device.to_owned(), share.clone());
    if let Some(agent) = guest.agent() {
        mount_in(guest, &agent, &share).await;
    }
    Ok(())
}

/// Runs `virtiofsd` and connects QEMU with it.
async fn serve(
    world: &World,
    guest: &Guest,
    qmp: &Qmp,
    (device, threads): (&str, u32),
) -> Result<()> {
    let id = names::instance_id(guest.project(), guest.name());
    let socket = world.dirs.machine(&id).join("io").join(vm::share_socket(device));
    // What an earlier one left would be taken for this one's.
    let _ = tokio::fs::remove_file(&socket).await;
    let (command, log) =
        (Virtiofsd::find()?.command(device, threads), format!("{}.log", vm::share_socket(device)));
    let mut program = Beside::start(world, guest, (PROGRAM, command), &log, None).await?;
    let listens = async {
        while socket.symlink_metadata().is_err() {
            program.check()?;
            sleep(LOOK).await;
        }
        Ok(())
    };
    let said = || String::from("it did not listen in time");
    let late = |_| Error::Beside { program: PROGRAM, said: said() };
    let done = match timeout(LISTENING, listens).await.map_err(late).flatten() {
        Ok(()) => vm::add_share(qmp, device).await.map_err(Error::from),
        failed => failed,
    };
    if done.is_err() {
        program.kill();
    }
    done
}

/// Takes a folder from a machine, once the guest has let go of it.
pub(super) async fn unplug(world: &World, guest: &Guest, qmp: &Qmp, device: &str) -> Result<()> {
    let share = guest.shares().get(device).cloned();
    if let (Some(share), Some(agent)) = (&share, guest.agent())
        && let Err(error) = agent.unmount(share).await
    {
        tracing::warn!(name = guest.name(), device, %error, "a folder in the guest");
    }
    vm::remove_share(qmp, device).await?;
    guest.shares().remove(device);
    let (held, place) = (guest.clone(), vm::share_place(device));
    blocking("unmount folder", move || held.monitor().remove_mount(&place)).await?;
    let id = names::instance_id(guest.project(), guest.name());
    let socket = world.dirs.machine(&id).join("io").join(vm::share_socket(device));
    absent_is_done(tokio::fs::remove_file(&socket).await, "remove", &socket)
}

/// Has the guest mount all it has, after its boot.
pub(super) async fn mount_all(guest: &Guest, agent: &Agent) {
    let shares: Vec<Share> = guest.shares().values().cloned().collect();
    for share in shares {
        mount_in(guest, agent, &share).await;
    }
}

/// A guest that cannot is no reason to refuse the device: it may have no virtiofs, and its user sees to it.
async fn mount_in(guest: &Guest, agent: &Agent, share: &Share) {
    if let Err(error) = agent.mount(share).await {
        let error = tasks::chain(&error);
        tracing::warn!(name = guest.name(), tag = share.tag, error, "a folder in the guest");
    }
}
