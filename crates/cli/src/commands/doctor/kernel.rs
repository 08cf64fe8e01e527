//! Version, modules and control groups.

use super::{
    Finding,
    machine::{Machine, Module},
    mend::Mend,
};

/// Idmapped mounts came with it: without, a container's root cannot be shown with its own ids.
const NEEDED: (u32, u32) = (5, 12);
/// Overlays of idmapped layers came with it: without, a container's root is a copy of its image.
const GOOD: (u32, u32) = (5, 19);
/// Controllers of control groups, and what does not work without.
const CONTROLLERS: [(&str, &str); 5] = [
    ("memory", "limits.memory"),
    ("cpu", "limits.cpu.allowance"),
    ("cpuset", "limits.cpu"),
    ("pids", "limits.processes"),
    ("io", "limits of disks"),
];
/// Modules without which there is no instance with a network.
const NETWORK: [&str; 4] = ["bridge", "veth", "nf_tables", "nft_chain_nat"];
/// Modules, and what is not there without.
const OTHERS: [(&str, &str); 7] = [
    ("overlay", "containers that share their image"),
    ("tun", "network cards of virtual machines"),
    ("loop", "storage pools in a file"),
    ("btrfs", "storage pools of btrfs"),
    ("dm_thin_pool", "storage pools of LVM with thin volumes"),
    ("vhost_net", "fast networks of virtual machines"),
    ("vhost_vsock", "a fast way to the agent of virtual machines"),
];

pub(super) fn look(machine: &Machine) -> Vec<Finding> {
    [version(machine), groups(machine), memory_group(machine)]
        .into_iter()
        .flatten()
        .chain(modules(machine))
        .chain(firewall(machine))
        .collect()
}

fn version(machine: &Machine) -> Option<Finding> {
    let mut parts = machine.release.split(['.', '-']);
    let mut part = || parts.next()?.parse::<u32>().ok();
    let found = (part()?, part()?);
    let (topic, release) = ("kernel", &machine.release);
    Some(if found < NEEDED {
        Finding::wrong(topic, format!("{release}: containers need 5.12 or later"))
            .fix("a newer release of your distribution")
    } else if found < GOOD {
        let words = "from 5.19 on containers share their image instead of copying it";
        Finding::advice(topic, format!("{release}: {words}"))
    } else {
        Finding::well(topic, release)
    })
}

fn groups(machine: &Machine) -> Option<Finding> {
    let topic = "control groups";
    let Some(found) = machine.read("/sys/fs/cgroup/cgroup.controllers") else {
        let words = "version 1, or none: instances run, but systemd from 258 on needs version 2";
        let option =
            "put systemd.unified_cgroup_hierarchy=1 on the kernel's command line, and restart";
        return Some(Finding::advice(topic, words).fix(option));
    };
    let missing = CONTROLLERS.iter().filter(|(name, _)| !found.split(' ').any(|one| one == *name));
    // What a Pi lacks by default has a check of its own.
    let missing: Vec<_> =
        missing.filter(|(name, _)| *name != "memory" || !machine.is_pi()).collect();
    if missing.is_empty() {
        return Some(Finding::well(topic, format!("version 2: {found}")));
    }
    let words = missing.iter().map(|(name, what)| format!("{name} (no {what})"));
    let words = words.collect::<Vec<_>>().join(", ");
    Some(Finding::wrong(topic, format!("without {words}")))
}

/// The firmware of a Raspberry Pi turns it off, which an option of the kernel undoes.
fn memory_group(machine: &Machine) -> Option<Finding> {
    let found = machine.read("/sys/fs/cgroup/cgroup.controllers")?;
    if !machine.is_pi() || found.split(' ').any(|name| name == "memory") {
        return None;
    }
    let words = "this Raspberry Pi counts no memory: limits.memory does nothing";
    let finding = Finding::wrong("memory limits", words);
    let files = ["/boot/firmware/cmdline.txt", "/boot/cmdline.txt"];
    Some(match files.into_iter().find(|file| machine.has(file)) {
        Some(file) if asks_for_memory(machine, file) => finding.fix("restart this machine"),
        Some(file) => finding.mend(Mend::KernelOption { file, option: "cgroup_enable=memory" }),
        None => finding.fix("put cgroup_enable=memory on the kernel's command line, and restart"),
    })
}

fn asks_for_memory(machine: &Machine, file: &str) -> bool {
    let line = machine.read(file).unwrap_or_default();
    line.split(' ').any(|option| option == "cgroup_enable=memory")
}

fn modules(machine: &Machine) -> Vec<Finding> {
    let missing = |name: &str| machine.module(name) == Module::Missing;
    let package =
        format!("a package such as linux-modules-extra-{} may have them", machine.release);
    let mut all = Vec::new();
    let network: Vec<_> = NETWORK.into_iter().filter(|name| missing(name)).collect();
    if !network.is_empty() {
        let words = format!("no {}: instances have no network", network.join(", "));
        all.push(Finding::wrong("modules", words).fix(&package));
    }
    let others: Vec<_> = OTHERS.into_iter().filter(|(name, _)| missing(name)).collect();
    for (name, what) in &others {
        all.push(Finding::advice("modules", format!("no {name}: no {what}")).fix(&package));
    }
    if all.is_empty() {
        let known = machine.module("bridge") != Module::Unknown;
        let words = if known { "all are there" } else { "no list of them is here to look at" };
        all.push(Finding::well("modules", words));
    }
    all
}

fn firewall(machine: &Machine) -> Option<Finding> {
    let docker = ["/run/docker.sock", "/sys/class/net/docker0"];
    docker.iter().any(|path| machine.has(path)).then(|| {
        let words =
            "Docker's drops what is forwarded; networks get rules of their own in DOCKER-USER";
        Finding::well("firewall", words)
    })
}
