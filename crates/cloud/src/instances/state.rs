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
            let network = match guest.spec().machine {
                true => machine::state::interfaces(world, &guest).await,
                false => ports::interfaces(&guest).await,
            };
            let network = network.unwrap_or_default();
            Ok(rendered(status, &guest, i64::from(info.pid), usage, network))
        }
        // It ended while it was looked at.
        Err(Error::Runtime(_)) => Ok(stopped(StatusCode::STOPPED)),
        Err(other) => Err(other),
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
