//! What the machine has, as far as it is told yet: processors, memory, the system's names.

use std::fs;

use wire::{Resources, ResourcesCpu, ResourcesMemory, ResourcesSystem};

use crate::World;

/// What the machine has.
pub fn resources(world: &World) -> Resources {
    let total = world.host.memory;
    let free = meminfo("MemAvailable:").unwrap_or(total);
    let dmi = |name: &str| read(&format!("/sys/class/dmi/id/{name}"));
    Resources {
        cpu: ResourcesCpu {
            architecture: world.host.architecture.clone(),
            sockets: Vec::new(),
            total: world.host.cpus.len() as u64,
        },
        memory: ResourcesMemory {
            used: total.saturating_sub(free),
            total,
            ..ResourcesMemory::default()
        },
        system: ResourcesSystem {
            uuid: dmi("product_uuid"),
            vendor: dmi("sys_vendor"),
            product: dmi("product_name"),
            ..ResourcesSystem::default()
        },
        ..Resources::default()
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn meminfo(key: &str) -> Option<u64> {
    let info = read("/proc/meminfo");
    let line = info.lines().find_map(|line| line.strip_prefix(key))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
}
