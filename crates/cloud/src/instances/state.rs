//! What an instance uses while it runs.

use std::collections::BTreeMap;

use runtime::Usage;
use wire::{
    InstanceState, InstanceStateCpu, InstanceStateDisk, InstanceStateMemory, InstanceStateNetwork,
    StatusCode,
};

use super::{
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
    let status = super::list::status(&world.guests, project, name);
    let running = |guest: &Guest| matches!(guest.phase(), Phase::Running | Phase::Frozen);
    let Some(guest) = world.guests.get(project, name).filter(running) else {
        return Ok(stopped(status));
    };
    let held = guest.clone();
    let seen = blocking("look at instance", move || {
        let (info, usage) = (held.monitor().info()?, held.monitor().usage()?);
        Ok::<_, runtime::Error>((info, usage))
    });
    match seen.await {
        Ok((info, usage)) => {
            // One that is just ending has no network any more.
            let pid = i64::from(info.pid);
            if guest.spec().machine {
                return Ok(of_machine(world, status, &guest, pid, usage).await);
            }
            let network = ports::interfaces(&guest).await.unwrap_or_default();
            Ok(rendered(status, &guest, pid, usage, network))
        }
        // It ended while it was looked at.
        Err(Error::Runtime(_)) => Ok(stopped(StatusCode::STOPPED)),
        Err(other) => Err(other),
    }
}

/// What the machine uses, where its agent says so; else what QEMU does.
async fn of_machine(
    world: &World,
    status: StatusCode,
    guest: &Guest,
    pid: i64,
    usage: Usage,
) -> InstanceState {
    let inside = machine::state::inside(guest).await;
    let network = machine::state::interfaces(world, guest, inside.as_ref()).await;
    let state = rendered(status, guest, pid, usage, network.unwrap_or_default());
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
    pid: i64,
    usage: Usage,
    network: BTreeMap<String, InstanceStateNetwork>,
) -> InstanceState {
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
        pid,
        processes: usage.processes.and_then(|count| i64::try_from(count).ok()).unwrap_or(-1),
        cpu: InstanceStateCpu { usage: usage.cpu_ns.unwrap_or(0) },
    }
}
