//! What an instance uses while it runs.

use std::collections::BTreeMap;

use wire::{
    InstanceState, InstanceStateCpu, InstanceStateDisk, InstanceStateMemory, InstanceStateNetwork,
    StatusCode,
};

use super::{
    gauges::Reading,
    guests::{Guest, Phase},
    machine,
};
use crate::{Error, Result, World, blocking::blocking, networks::ports};

/// The state of an instance, which may be stopped.
pub async fn get(world: &World, project: &str, name: &str) -> Result<InstanceState> {
    world.store.read(|db| super::find(db, project, name))?;
    of(world, project, name).await
}

pub(crate) async fn of(world: &World, project: &str, name: &str) -> Result<InstanceState> {
    let mut found = of_all(world, std::iter::once((project, name))).await?;
    found.pop().ok_or(Error::Broken("look at instance"))
}

/// The same of many, in their order.
pub(crate) async fn of_all(
    world: &World,
    names: impl Iterator<Item = (&str, &str)>,
) -> Result<Vec<InstanceState>> {
    let guests: Vec<_> = names.map(|(project, name)| world.guests.get(project, name)).collect();
    // A thread for each processor is as many as get anything done.
    let share = guests.len().div_ceil(world.host.cpus.len().max(1)).max(1);
    let shares = guests.chunks(share).map(|guests| {
        let held = guests.to_vec();
        blocking("look at instances", move || {
            Ok::<_, Error>(held.iter().map(|guest| read(guest.as_ref()?)).collect::<Vec<_>>())
        })
    });
    let read = futures_util::future::try_join_all(shares).await?.into_iter().flatten();
    let shown = guests.iter().zip(read).map(async |(guest, read)| match guest.as_ref().zip(read) {
        Some((guest, read)) => shown(world, guest, read).await,
        None => Ok(stopped(without(guest.as_ref()))),
    });
    futures_util::future::try_join_all(shown).await
}

fn read(guest: &Guest) -> Option<Reading> {
    runs(guest).then(|| guest.read_gauges().ok()).flatten()
}

fn runs(guest: &Guest) -> bool {
    matches!(guest.phase(), Phase::Running | Phase::Frozen)
}

/// The status of one of which nothing was read: one that runs ended while it was looked at.
fn without(guest: Option<&Guest>) -> StatusCode {
    match guest.filter(|guest| runs(guest)) {
        Some(_) => StatusCode::STOPPED,
        None => super::list::status_of(guest),
    }
}

async fn shown(world: &World, guest: &Guest, read: Reading) -> Result<InstanceState> {
    let status = super::list::status_of(Some(guest));
    if guest.spec().machine {
        return Ok(of_machine(world, status, guest, &read).await);
    }
    Ok(rendered(status, guest, &read, ports::rendered(&read.network)))
}

/// What the machine uses, where its agent says so; else what QEMU does.
async fn of_machine(
    world: &World,
    status: StatusCode,
    guest: &Guest,
    read: &Reading,
) -> InstanceState {
    let inside = machine::state::inside(guest).await;
    let network = machine::state::interfaces(world, guest, inside.as_ref()).await;
    let state = rendered(status, guest, read, network.unwrap_or_default());
    match inside {
        None => InstanceState { processes: -1, ..state },
        Some(inside) => InstanceState {
            memory: inside.memory,
            processes: inside.processes,
            cpu: inside.cpu,
            ..state
        },
    }
}

fn stopped(status: StatusCode) -> InstanceState {
    InstanceState {
        status: status.name().to_owned(),
        status_code: status,
        ..InstanceState::default()
    }
}

fn rendered(
    status: StatusCode,
    guest: &Guest,
    read: &Reading,
    network: BTreeMap<String, InstanceStateNetwork>,
) -> InstanceState {
    let usage = read.usage;
    InstanceState {
        status: status.name().to_owned(),
        status_code: status,
        disk: BTreeMap::<String, InstanceStateDisk>::new(),
        memory: InstanceStateMemory {
            usage: usage.memory.unwrap_or(0),
            usage_peak: usage.memory_peak.unwrap_or(0),
            total: guest.spec().limits.memory.unwrap_or(0),
            swap_usage: usage.swap.unwrap_or(0),
            swap_usage_peak: 0,
        },
        network: Some(network),
        pid: i64::from(read.pid),
        processes: usage.processes.and_then(|count| i64::try_from(count).ok()).unwrap_or(-1),
        cpu: InstanceStateCpu { usage: usage.cpu_ns.unwrap_or(0) },
    }
}
